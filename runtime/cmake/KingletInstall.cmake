# What `cmake --install` lays down: header(s), both libraries, the executable, a CMake package and a pkg-config file.
# Nothing installed holds an absolute path, so the prefix can be moved. Components: `library` is what a program needs
# that was built with kinglet, `development` what building it needs, `tools` the executable.
include(CMakePackageConfigHelpers)

set(kinglet_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/kinglet)
install(TARGETS ${kinglet_libraries} EXPORT kinglet-targets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT development)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/runtime/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}
  COMPONENT development FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
if(TARGET kinglet_train)
  install(TARGETS kinglet_train RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT training)
endif()
if(TARGET kinglet_cli)
  install(TARGETS kinglet_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT tools)
endif()
install(EXPORT kinglet-targets NAMESPACE kinglet:: DESTINATION ${kinglet_package_dir} COMPONENT development)

configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/kinglet-config.cmake.in
  ${PROJECT_BINARY_DIR}/kinglet-config.cmake INSTALL_DESTINATION ${kinglet_package_dir})
# While the version is 0.x every minor version may change the interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/kinglet-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/kinglet-config.cmake ${PROJECT_BINARY_DIR}/kinglet-config-version.cmake
  DESTINATION ${kinglet_package_dir} COMPONENT development)

set(kinglet_pc_private -pthread -lm)
if(kinglet_with_xnnpack)
  install(FILES ${CMAKE_CURRENT_LIST_DIR}/FindXNNPACK.cmake DESTINATION ${kinglet_package_dir}
    COMPONENT development)
  list(PREPEND kinglet_pc_private -lXNNPACK -lpthreadpool)
endif()
list(JOIN kinglet_pc_private " " kinglet_pc_private)
file(RELATIVE_PATH kinglet_pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
string(REGEX REPLACE "/$" "" kinglet_pc_to_prefix ${kinglet_pc_to_prefix})
configure_file(${CMAKE_CURRENT_LIST_DIR}/kinglet.pc.in ${PROJECT_BINARY_DIR}/kinglet.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/kinglet.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development)
