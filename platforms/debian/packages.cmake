# The Debian packages that cpack makes: kinglet (the command line, its manual page and completion), libkinglet (the
# shared library) and libkinglet-dev. platforms/debian/build runs it for a processor.
install(FILES ${CMAKE_CURRENT_LIST_DIR}/kinglet.1 DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT tools)
install(FILES ${CMAKE_CURRENT_LIST_DIR}/completion.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions
  RENAME kinglet COMPONENT tools)
foreach(package kinglet:tools libkinglet:library libkinglet-dev:development)
  string(REPLACE ":" ";" package ${package})
  list(GET package 0 name)
  list(GET package 1 component)
  install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name} RENAME copyright
    COMPONENT ${component})
  string(TOUPPER ${component} upper)
  set(CPACK_DEBIAN_${upper}_PACKAGE_NAME ${name})
  set(CPACK_DEBIAN_${upper}_FILE_NAME DEB-DEFAULT)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL tools library development)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGE_CONTACT "The kinglet developers")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_COMPONENT_TOOLS_DESCRIPTION
  "The command line: converts checkpoints into int8 model files, and runs, measures and checks them.")
set(CPACK_COMPONENT_LIBRARY_DESCRIPTION "The library: maps a model file and runs it, tokenizer included.")
set(CPACK_COMPONENT_DEVELOPMENT_DESCRIPTION
  "C and C++ headers, the static library, and descriptions for CMake and pkg-config.")
set(CPACK_DEBIAN_TOOLS_PACKAGE_SECTION science)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)

# dpkg-shlibdeps knows nothing of a foreign processor's libraries. These are Debian 12's, which the build is made with.
set(CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS "libc6 (>= 2.36)")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS "libc6 (>= 2.36)")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libkinglet (= ${PROJECT_VERSION}-1)")
if(kinglet_with_xnnpack)
  string(APPEND CPACK_DEBIAN_TOOLS_PACKAGE_DEPENDS ", libxnnpack0, libpthreadpool0")
  string(APPEND CPACK_DEBIAN_LIBRARY_PACKAGE_DEPENDS ", libxnnpack0, libpthreadpool0")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "aarch64|arm64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE arm64)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE amd64)
endif()
include(CPack)
