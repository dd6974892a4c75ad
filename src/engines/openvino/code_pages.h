// OpenVINO's own code in memory. Most of it is read once, while a model is compiled.
#pragma once

#include <cstdint>

namespace snug::openvino {

// Takes the code and constants of OpenVINO's libraries, as far as nobody has written to them, out of this
// process's memory; what is executed next is mapped again page by page, from the page cache as a rule. Any
// thread, also while others execute it. Returns the bytes of address space that were gone through.
uint64_t ForgetCode();

}  // namespace snug::openvino
