/** What of a question names its video. */
import type { Question } from './vsi-bench/questions.js'

export type Scene = Pick<Question, 'id' | 'dataset' | 'scene_name'>

/** The name under which questions share a video. */
export function sceneOf({ dataset, scene_name }: Omit<Scene, 'id'>): string {
  return `${dataset}/${scene_name}`
}

/** Endings of films, in folders and in archives alike. */
export const movieEndings: readonly string[] = ['.mp4', '.mkv', '.webm', '.mov', '.avi']
