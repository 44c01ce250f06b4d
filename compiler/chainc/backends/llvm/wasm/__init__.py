"""WebAssembly: object files of LLVM become modules, which `wasmtime` runs in this process."""
