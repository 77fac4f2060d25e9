# SPDX-License-Identifier: Apache-2.0
# add_module, add_daemon, add_suite, add_fuzz_target: the only ways a target comes into being.

# One precompiled header serves the whole tree: the standard library's containers and the JSON library.
function(gestalt_precompile target)
  if(TARGET gestalt_pch)
    target_precompile_headers(${target} REUSE_FROM gestalt_pch)
  endif()
endfunction()

# With CMAKE_UNITY_BUILD sources of a target are compiled eight at a time, which takes less processor
# time; names in unnamed namespaces must then differ within a target (tests/tidy: unity). Files of routes stay alone:
# each has its kRoutes, and handlers named after what they do.
function(gestalt_keep_routes_alone)
  foreach(source ${ARGN})
    if(source MATCHES "routes")
      set_source_files_properties(${source} PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
    endif()
  endforeach()
endfunction()

# add_module(NAME SOURCES a.cc ... [PUBLIC targets] [PRIVATE targets])
# A static library called NAME. PUBLIC names modules whose headers appear in its headers.
function(add_module name)
  cmake_parse_arguments(arg "" "" "SOURCES;PUBLIC;PRIVATE" ${ARGN})
  gestalt_keep_routes_alone(${arg_SOURCES})
  add_library(${name} STATIC ${arg_SOURCES})
  target_include_directories(${name} PUBLIC ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PUBLIC ${arg_PUBLIC} PRIVATE ${arg_PRIVATE} nlohmann_json::nlohmann_json Threads::Threads)
  gestalt_precompile(${name})
endfunction()

# add_daemon(NAME SOURCES main.cc LINK targets [DESTINATION dir])
# An installed executable. DESTINATION defaults to libexec/gestalt for daemons.
function(add_daemon name)
  cmake_parse_arguments(arg "" "DESTINATION" "SOURCES;LINK" ${ARGN})
  if(NOT arg_DESTINATION)
    set(arg_DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/gestalt)
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} nlohmann_json::nlohmann_json Threads::Threads)
  gestalt_precompile(${name})
  install(TARGETS ${name} RUNTIME DESTINATION ${arg_DESTINATION})
  set_property(GLOBAL APPEND PROPERTY GESTALT_EXECUTABLES ${name})  # tests/tidy looks at how each is hardened
endfunction()

# suites_LABEL builds the suites of a label. Those with `threads` have more than one thread: the thread sanitizer runs them.
foreach(label unit contract system threads)
  add_custom_target(suites_${label})
endforeach()

# add_suite(NAME SOURCES a_test.cc ... LINK targets [LABEL unit] [TIMEOUT seconds] [SERIAL] [THREADED] [ON_NODE [NEEDS targets] [FILES files]])
# A CppUTest executable that CTest runs as one test. ON_NODE runs it inside a node of the test bed, for what needs a
# real systemd; its label is then system. NEEDS names executables that are put
# beside it there, FILES programs of this machine.
function(add_suite name)
  cmake_parse_arguments(arg "SERIAL;THREADED;ON_NODE" "LABEL;TIMEOUT" "SOURCES;LINK;NEEDS;FILES" ${ARGN})
  if(arg_ON_NODE)
    set(arg_LABEL system)
    set(arg_SERIAL ON)
    set(runner /usr/bin/python3 -B ${CMAKE_SOURCE_DIR}/tests/system/on_node.py)
    foreach(need ${arg_NEEDS})
      list(APPEND runner --with $<TARGET_FILE:${need}>)
    endforeach()
    foreach(file ${arg_FILES})
      list(APPEND runner --with ${file})
    endforeach()
  elseif(NOT arg_LABEL)
    set(arg_LABEL unit)
  endif()
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  if(GESTALT_SANITIZE)
    math(EXPR arg_TIMEOUT "3 * ${arg_TIMEOUT}")
  endif()
  add_executable(${name} ${arg_SOURCES})
  if(arg_THREADED)
    list(APPEND arg_LABEL threads)
  endif()
  foreach(label ${arg_LABEL})
    add_dependencies(suites_${label} ${name})
  endforeach()
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  # CppUTest's leak detector replaces operator new, which clashes with the standard headers; ASan finds leaks instead.
  target_compile_definitions(${name} PRIVATE CPPUTEST_MEM_LEAK_DETECTION_DISABLED)
  target_link_libraries(${name} PRIVATE test_support ${arg_LINK} PkgConfig::CPPUTEST nlohmann_json::nlohmann_json Threads::Threads)
  gestalt_precompile(${name})
  add_test(NAME ${name} COMMAND ${runner} $<TARGET_FILE:${name}> -v)
  set_tests_properties(${name} PROPERTIES LABELS "${arg_LABEL}" TIMEOUT ${arg_TIMEOUT} RUN_SERIAL "${arg_SERIAL}")
endfunction()

# add_fuzz_target(NAME SOURCES a_fuzz.cc LINK targets)
# A libFuzzer executable of the preset `fuzz`; elsewhere a part of fuzz_replay_test. Its seeds are the files in tests/fuzz/corpus/NAME.
function(add_fuzz_target name)
  cmake_parse_arguments(arg "" "" "SOURCES;LINK" ${ARGN})
  if(NOT GESTALT_FUZZ)
    add_library(${name} OBJECT ${arg_SOURCES})
    target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
    # Each of them has this name for its function, and one program holds them all.
    target_compile_definitions(${name} PRIVATE LLVMFuzzerTestOneInput=${name})
    target_link_libraries(${name} PUBLIC ${arg_LINK} nlohmann_json::nlohmann_json Threads::Threads)
    gestalt_precompile(${name})
    set_property(GLOBAL APPEND PROPERTY GESTALT_FUZZ_TARGETS ${name})
    return()
  endif()
  add_executable(${name} ${arg_SOURCES})
  target_include_directories(${name} PRIVATE ${CMAKE_SOURCE_DIR})
  target_link_libraries(${name} PRIVATE ${arg_LINK} nlohmann_json::nlohmann_json Threads::Threads)
  target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  # New inputs go to the first folder, which must not be the seeds' own.
  file(MAKE_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/found/${name})
  add_test(NAME ${name} COMMAND ${name} -runs=20000 -max_total_time=10 found/${name} ${CMAKE_SOURCE_DIR}/tests/fuzz/corpus/${name}
    WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR})
  set_tests_properties(${name} PROPERTIES LABELS fuzz TIMEOUT 60)
endfunction()
