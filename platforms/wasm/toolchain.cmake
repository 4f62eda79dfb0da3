# Compiles to WebAssembly with baseline SIMD by Debian's emscripten (apt-get install emscripten); ctest runs the tests
# under node. What needs the host (flatc) is found on the host, and so are the two header-only libraries: through links,
# because the folder that they are in, /usr/include, holds the host's C library, too.
set(EMSCRIPTEN_SYSTEM_PROCESSOR wasm32)
find_path(KINGLET_EMSCRIPTEN cmake/Modules/Platform/Emscripten.cmake PATHS $ENV{EMSDK}/upstream/emscripten
  /usr/share/emscripten NO_DEFAULT_PATH NO_CMAKE_FIND_ROOT_PATH)
if(NOT KINGLET_EMSCRIPTEN)
  message(FATAL_ERROR "emscripten was not found. On Debian: apt-get install emscripten; elsewhere: set EMSDK, or "
    "-DKINGLET_EMSCRIPTEN to the folder of emcc.py")
endif()
include(${KINGLET_EMSCRIPTEN}/cmake/Modules/Platform/Emscripten.cmake)
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES KINGLET_EMSCRIPTEN)

# Debian's emcc looks for node packages where Debian's node does; other builds of node need to be told.
if(EXISTS /usr/share/nodejs)
  set_property(GLOBAL PROPERTY RULE_LAUNCH_LINK "${CMAKE_COMMAND} -E env NODE_PATH=/usr/share/nodejs")
endif()

# This emscripten's programs take the presence of fetch for a browser.
set(CMAKE_CROSSCOMPILING_EMULATOR node --no-experimental-fetch)

set(KINGLET_HOST_HEADERS ${CMAKE_BINARY_DIR}/host-headers)
foreach(library flatbuffers/flatbuffers doctest/doctest)
  get_filename_component(folder ${library} DIRECTORY)
  find_path(KINGLET_HOST_${folder} ${library}.h PATHS /usr/include /usr/local/include NO_CMAKE_FIND_ROOT_PATH)
  if(KINGLET_HOST_${folder} AND NOT EXISTS ${KINGLET_HOST_HEADERS}/${folder})
    file(MAKE_DIRECTORY ${KINGLET_HOST_HEADERS})
    file(CREATE_LINK ${KINGLET_HOST_${folder}}/${folder} ${KINGLET_HOST_HEADERS}/${folder} SYMBOLIC)
  endif()
endforeach()
set(FLATBUFFERS_INCLUDE_DIR ${KINGLET_HOST_HEADERS} CACHE PATH "Header-only libraries of the host")
set(doctest_DIR ${CMAKE_CURRENT_LIST_DIR}/cmake CACHE PATH "doctest by the same links")
