import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bytes, duration, parseDuration, rate, relative, share, short } from '../src/lib/format.js';

test('durations are written as the file writes them, with two units at most', () => {
  assert.deepEqual([0.4, 850, 9900, 14_000, 95_000, 3_600_000, 90_061_000, null].map(duration), ['0.4ms', '850ms', '9.9s', '14s', '1m 35s', '1h', '1d 1h', '–']);
});

test('what duration writes without a space parseDuration reads', () => {
  assert.deepEqual(['500ms', '2s', '1m30s', '7d', '5', '5 s', 'soon', ''].map(parseDuration), [500, 2000, 90_000, 604_800_000, undefined, undefined, undefined, undefined]);
});

test('times are told from now, before and after', () => {
  assert.deepEqual([relative(61_000, 0), relative(0.5, 61_000), relative(500, 0), relative(null, 0)], ['in 1m 1s', '1m 1s ago', 'now', '–']);
});

test('large counts are short, small rates are told by the minute', () => {
  assert.deepEqual([short(9999), short(1_000_000), rate(0.1), rate(4.25), rate(0), share(1, 300), bytes(900_000)], ['9,999', '1M', '6/min', '4.3/s', '0/s', '<1 %', '879 KiB']);
});
