import { test } from 'node:test';
import assert from 'node:assert/strict';
import { PageTitle } from './page-title.ts';

test('title and icon say which app it is, and whether one of its threads stands', () => {
  const icon = { href: './favicon.svg' };
  const page = {
    title: 'Debugger',
    querySelector: () => ({
      getAttribute: () => icon.href,
      setAttribute: (_name: string, value: string) => void (icon.href = value),
    }),
  };
  const title = new PageTitle(page);
  title.tell({ app: 'shop', pid: 5 });
  assert.deepEqual([page.title, icon.href], ['shop [5] – debugger', './favicon.svg']);
  title.hear({ method: 'Debugger.paused', sessionId: 'p5' });
  title.hear({ method: 'Debugger.paused', sessionId: 'p5.1' });
  title.hear({ method: 'Debugger.resumed', sessionId: 'p5' });
  assert.equal(page.title, '⏸ shop [5] – debugger');
  assert.match(icon.href, /^data:image\/svg/);
  title.hear({ method: 'Runtime.consoleAPICalled', sessionId: 'p5.1' });
  assert.equal(page.title, '⏸ shop [5] – debugger');
  title.hear({ method: 'Target.detachedFromTarget', params: { sessionId: 'p5.1' } });
  assert.deepEqual([page.title, icon.href], ['shop [5] – debugger', './favicon.svg']);
});
