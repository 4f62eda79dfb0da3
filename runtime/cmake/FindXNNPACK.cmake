# Finds XNNPACK and pthreadpool where they come without a CMake package (Debian's do), and checks that this XNNPACK has
# the create/setup interface of 2022 that runtime/fp32 is written for: later releases split setup into reshape and
# setup, and count as not found.
#
#   XNNPACK_FOUND, XNNPACK::XNNPACK
include(FindPackageHandleStandardArgs)

find_path(XNNPACK_INCLUDE_DIR xnnpack.h)
find_path(PTHREADPOOL_INCLUDE_DIR pthreadpool.h)
find_library(XNNPACK_LIBRARY NAMES XNNPACK xnnpack)
find_library(PTHREADPOOL_LIBRARY NAMES pthreadpool)
mark_as_advanced(XNNPACK_INCLUDE_DIR PTHREADPOOL_INCLUDE_DIR XNNPACK_LIBRARY PTHREADPOOL_LIBRARY)

if(XNNPACK_INCLUDE_DIR AND PTHREADPOOL_INCLUDE_DIR AND XNNPACK_LIBRARY AND PTHREADPOOL_LIBRARY)
  include(CheckCXXSourceCompiles)
  include(CMakePushCheckState)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_INCLUDES ${XNNPACK_INCLUDE_DIR} ${PTHREADPOOL_INCLUDE_DIR})
  set(CMAKE_REQUIRED_LIBRARIES ${XNNPACK_LIBRARY} ${PTHREADPOOL_LIBRARY})
  check_cxx_source_compiles("
    #include <xnnpack.h>
    int main() {
      xnn_operator_t op = nullptr;
      xnn_status status = xnn_initialize(nullptr);
      status = xnn_create_fully_connected_nc_f32(1, 1, 1, 1, nullptr, nullptr, 0.0f, 1.0f, 0, &op);
      status = xnn_setup_fully_connected_nc_f32(op, 1, nullptr, nullptr, nullptr);
      return status == xnn_run_operator(op, nullptr);
    }" XNNPACK_HAS_SETUP_INTERFACE)
  cmake_pop_check_state()
endif()

find_package_handle_standard_args(XNNPACK REQUIRED_VARS XNNPACK_LIBRARY XNNPACK_INCLUDE_DIR PTHREADPOOL_LIBRARY
  PTHREADPOOL_INCLUDE_DIR XNNPACK_HAS_SETUP_INTERFACE)

if(XNNPACK_FOUND AND NOT TARGET XNNPACK::XNNPACK)
  add_library(XNNPACK::XNNPACK UNKNOWN IMPORTED)
  set_target_properties(XNNPACK::XNNPACK PROPERTIES
    IMPORTED_LOCATION ${XNNPACK_LIBRARY}
    INTERFACE_INCLUDE_DIRECTORIES "${XNNPACK_INCLUDE_DIR};${PTHREADPOOL_INCLUDE_DIR}"
    INTERFACE_LINK_LIBRARIES ${PTHREADPOOL_LIBRARY})
endif()
