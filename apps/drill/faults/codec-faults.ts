/** Topics that the broker keeps compressed, whatever is sent: what was lost, or not, is looked for in them after every kill. */
import { systemClock } from '#runtime';
import type { Fault, Injection } from '../fault.ts';
import { setTopicConfig } from '../kafka-config.ts';
import type { Scene } from '../scene.ts';

const CODECS = ['gzip', 'snappy', 'lz4', 'zstd'] as const;
const KILLS = 6;
const SETTING = 'compression.type';

const setAll = (scene: Scene, codec: string | null) =>
  Promise.all(scene.topics.map((topic) => setTopicConfig(scene.servers, topic, { [SETTING]: codec })));

async function compress(scene: Scene, codec: string): Promise<Injection> {
  await setAll(scene, codec);
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      await systemClock.sleep(scene.chance.integer(300, 2_000));
      await scene.chance.pick(scene.senders()).kill();
    }
  } catch (error) {
    await setAll(scene, null);
    throw error;
  }
  return { detail: `${KILLS} senders killed`, kills: KILLS, heal: async () => void (await setAll(scene, null)) };
}

export const CODEC_FAULTS: readonly Fault[] = CODECS.map((codec) => ({
  name: `codec-${codec}`,
  what: `The topics' compression.type is ${codec}, and ${KILLS} senders are killed one after another.`,
  expected: 'Who takes over reads what its predecessors wrote; so do readers and `verify`.',
  targets: ['kafka', 'senders'],
  inject: (scene) => compress(scene, codec),
}));
