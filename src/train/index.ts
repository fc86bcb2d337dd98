/** The trainers: an algorithm, its options and a dataset. */
export { DPOTrainer, type DPOTrainerOptions } from './dpo/trainer.js'
export { GRPOTrainer, type GRPOTrainerOptions } from './grpo/trainer.js'
export { SFTTrainer, type SFTTrainerOptions } from './sft/trainer.js'
