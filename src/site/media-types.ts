// Media types by extension. As on IIS a file whose extension has none is not served: nobody meant it to be.

/** By extension in lower case, with its dot. */
export const MEDIA_TYPES: Readonly<Record<string, string>> = {
  '.7z': 'application/x-7z-compressed', '.aac': 'audio/aac', '.apk': 'application/vnd.android.package-archive',
  '.appcache': 'text/cache-manifest', '.avi': 'video/x-msvideo', '.avif': 'image/avif', '.bmp': 'image/bmp',
  '.css': 'text/css', '.csv': 'text/csv', '.cur': 'image/x-icon', '.dmg': 'application/octet-stream',
  '.doc': 'application/msword', '.docx': 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
  '.eot': 'application/vnd.ms-fontobject', '.epub': 'application/epub+zip', '.exe': 'application/octet-stream',
  '.flac': 'audio/flac', '.geojson': 'application/geo+json', '.gif': 'image/gif', '.glb': 'model/gltf-binary',
  '.gltf': 'model/gltf+json', '.gz': 'application/gzip', '.htm': 'text/html', '.html': 'text/html',
  '.ico': 'image/x-icon', '.ics': 'text/calendar', '.jpe': 'image/jpeg', '.jpeg': 'image/jpeg', '.jpg': 'image/jpeg',
  '.js': 'text/javascript', '.json': 'application/json', '.jsonld': 'application/ld+json',
  '.m3u8': 'application/x-mpegURL', '.m4a': 'audio/mp4', '.m4v': 'video/x-m4v', '.manifest': 'text/cache-manifest',
  '.map': 'application/json', '.mid': 'audio/midi', '.mjs': 'text/javascript', '.mkv': 'video/x-matroska',
  '.mov': 'video/quicktime', '.mp3': 'audio/mpeg', '.mp4': 'video/mp4', '.mpeg': 'video/mpeg', '.mpg': 'video/mpeg',
  '.msi': 'application/octet-stream', '.oga': 'audio/ogg', '.ogg': 'audio/ogg', '.ogv': 'video/ogg',
  '.opus': 'audio/ogg', '.otf': 'font/otf', '.pdf': 'application/pdf', '.png': 'image/png',
  '.ppt': 'application/vnd.ms-powerpoint',
  '.pptx': 'application/vnd.openxmlformats-officedocument.presentationml.presentation',
  '.rss': 'application/rss+xml', '.rtf': 'application/rtf', '.svg': 'image/svg+xml', '.svgz': 'image/svg+xml',
  '.swf': 'application/x-shockwave-flash', '.tar': 'application/x-tar', '.tif': 'image/tiff', '.tiff': 'image/tiff',
  '.ttf': 'font/ttf', '.txt': 'text/plain', '.vtt': 'text/vtt', '.wasm': 'application/wasm', '.wav': 'audio/wav',
  '.weba': 'audio/webm', '.webm': 'video/webm', '.webmanifest': 'application/manifest+json', '.webp': 'image/webp',
  '.woff': 'font/woff', '.woff2': 'font/woff2', '.xhtml': 'application/xhtml+xml',
  '.xls': 'application/vnd.ms-excel', '.xlsx': 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet',
  '.xml': 'text/xml', '.zip': 'application/zip',
};
