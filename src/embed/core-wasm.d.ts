/** The type of "ballonet/core.wasm", where bundlers and runtimes import WebAssembly as a module. */
declare const core: WebAssembly.Module;
export default core;
