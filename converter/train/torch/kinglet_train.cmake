# kinglet-train, on libtorch: Debian's libtorch-dev, or a newer one that CMAKE_PREFIX_PATH leads to. AUTO builds it
# where libtorch is found and the build is an ordinary one; without it everything else works.
set(KINGLET_TRAIN "AUTO" CACHE STRING "The training executable, which needs libtorch: AUTO, ON or OFF")
set_property(CACHE KINGLET_TRAIN PROPERTY STRINGS AUTO ON OFF)

if(KINGLET_TRAIN STREQUAL "OFF" OR (KINGLET_TRAIN STREQUAL "AUTO" AND (KINGLET_SANITIZE OR CMAKE_CROSSCOMPILING)))
  return()
endif()
# libtorch's own file sets and warns of things that are its affair; what it leaves in CMAKE_CXX_FLAGS is not wanted.
set(kinglet_cxx_flags "${CMAKE_CXX_FLAGS}")
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)  # for the tests; CMake 3.24
if(KINGLET_TRAIN STREQUAL "ON")
  find_package(Torch REQUIRED)
else()
  find_package(Torch QUIET)
endif()
set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL OFF)
set(CMAKE_CXX_FLAGS "${kinglet_cxx_flags}")
if(NOT Torch_FOUND)
  message(STATUS "kinglet-train is left out: libtorch was not found (on Debian: apt-get install libtorch-dev)")
  return()
endif()

separate_arguments(kinglet_torch_flags UNIX_COMMAND "${TORCH_CXX_FLAGS}")
file(GLOB kinglet_train_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_LIST_DIR}/*.cc)
list(FILTER kinglet_train_sources EXCLUDE REGEX "/main\\.cc$")
# The part that the tests use as well.
add_library(kinglet_torch STATIC ${kinglet_train_sources})
target_link_libraries(kinglet_torch PRIVATE kinglet_options PUBLIC kinglet_converter ${TORCH_LIBRARIES})
target_include_directories(kinglet_torch SYSTEM PRIVATE ${TORCH_INCLUDE_DIRS})
target_compile_options(kinglet_torch PRIVATE ${kinglet_torch_flags})

add_executable(kinglet_train ${CMAKE_CURRENT_LIST_DIR}/main.cc)
set_target_properties(kinglet_train PROPERTIES OUTPUT_NAME kinglet-train RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR})
target_link_libraries(kinglet_train PRIVATE kinglet_options kinglet_torch)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/adamw.cc PROPERTIES
  COMPILE_OPTIONS "-fno-math-errno;-fno-trapping-math")
