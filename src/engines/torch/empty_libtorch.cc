// Empty: libsnug_torch_cpu.so, whose name to the loader is libtorch.so; see package.cc.
