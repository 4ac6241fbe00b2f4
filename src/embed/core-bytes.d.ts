/** The type of build/core-bytes.js, which the build makes of core.wasm. */
export const CORE_BASE64: string;
