import { test } from 'node:test';
import assert from 'node:assert/strict';
import { parseDictionary } from './structured-field.ts';

function shown(text: string): string {
  const members = parseDictionary(text);
  if (members === null) return 'none';
  const parts = [...members].map(([key, item]) => {
    return `${key}:${item.type}${item.type === 'list' ? '' : `=${String(item.value)}`}`;
  });
  return parts.join(' ');
}

test('parseDictionary reads members of every type and leaves parameters out', () => {
  const rows: [string, string][] = [
    ['', ''],
    ['max-age=60', 'max-age:integer=60'],
    ['  a=1,\tb ,  c=?0', 'a:integer=1 b:boolean=true c:boolean=false'],
    ['a=-1.5;x;y="z", b;q=1', 'a:decimal=-1.5 b:boolean=true'],
    ['a="x \\" \\\\ y"', 'a:string=x " \\ y'],
    ['a=Token/x, b=:aGk=:, c=@12, d=%"f%c3%bc"', 'a:token=Token/x b:bytes=aGk= c:date=12 d:display=f%c3%bc'],
    ['a=(1 "x";y 2);z, b=()', 'a:list b:list'],
    ['a=1, a=2', 'a:integer=2'],
    ['a=999999999999999', 'a:integer=999999999999999'],
  ];
  for (const [text, expected] of rows) assert.equal(shown(text), expected, text);
});

test('parseDictionary refuses a text with any mistake', () => {
  const texts = [
    'A=1', 'max-age=10000, &&&&&', 'a =1', 'a= 1', 'a=1,', ',a=1', 'a=1 b', 'a=1;', 'a="x', 'a="\u00fc"',
    'a=1.', 'a=1.1234', 'a=1234567890123456', 'a=--1', 'a=?2', 'a=(1', 'a=(1"x")', 'a=:!:', 'a=@1.5',
    'a="\\x"', 'a=(1;)', '1=a', 'a=%"%ZZ"',
  ];
  for (const text of texts) assert.equal(parseDictionary(text), null, text);
});
