// kinglet.hpp as C++17 with -fno-exceptions -fno-rtti.
#include "cpp_test.h"

#if defined(__cpp_exceptions)
#error "this file shows that kinglet.hpp needs no exceptions: compile it with -fno-exceptions"
#endif

int main(int argc, char** argv) { return run_all(argc, argv); }
