import assert from 'node:assert/strict';
import { it } from 'node:test';
import { fairShare } from './fair-share.ts';

it('shares add up exactly and differ by at most one', () => {
  for (let count = 0; count <= 20; count += 1) {
    for (let members = 1; members <= 9; members += 1) {
      const ids = Array.from({ length: members }, (_, index) => `m${index}`);
      const shares = ids.map((id) => fairShare(count, ids, id));
      assert.equal(
        shares.reduce((sum, share) => sum + share, 0),
        count,
      );
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
    }
  }
});

it('counts a member that the list does not name yet', () => {
  assert.equal(fairShare(8, [], 'me'), 8);
  assert.equal(fairShare(8, ['a'], 'b'), 4);
});
