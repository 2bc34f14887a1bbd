// What is on this machine: the words for what is not, and which adapters are none.

/** An error that means "this machine lacks it" rather than "the model is wrong". */
export class Unavailable extends Error {}

/** Names of renderers that are software, and never count as a GPU. */
export const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b/i;
