import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readmeField, thirdPartyFolders } from './devtools-licences.ts';

test('readmeField reads a line of a README.chromium', () => {
  const readme = 'Name: Lit, small\nVersion: 2.4.1\nLicense File:\nURL: https://lit.dev\n';
  assert.equal(readmeField(readme, 'Name'), 'Lit, small');
  assert.equal(readmeField(readme, 'Version'), '2.4.1');
  assert.equal(readmeField(readme, 'License File'), '');
  assert.equal(readmeField(readme, 'None'), '');
});

test('thirdPartyFolders lists the folders that bytes of the output come from', () => {
  const inputs = {
    'x/front_end/third_party/marked/package/a.js': { bytesInOutput: 5 },
    'x/front_end/third_party/acorn/b.js': { bytesInOutput: 1 },
    'x/front_end/third_party/lit/c.js': { bytesInOutput: 0 },
    'x/front_end/core/d.ts': { bytesInOutput: 9 },
  };
  const output = { bytes: 15, inputs, imports: [], exports: [] };
  const metafile = { inputs: {}, outputs: { 'a.js': output, 'b.js': output } };
  assert.deepEqual(thirdPartyFolders(metafile), ['acorn', 'marked']);
});
