# Cross-compiles for 64-bit Arm Linux (Raspberry Pi 3 and later with a 64-bit system) with Debian's
# g++-aarch64-linux-gnu. What needs the host (flatc) is found on the host. Executables are static, so that they run
# under qemu-user and on any distribution; qemu takes the processor to imitate from the environment variable QEMU_CPU.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)

set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
find_program(KINGLET_QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(KINGLET_QEMU_AARCH64)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${KINGLET_QEMU_AARCH64})
endif()
