# SPDX-License-Identifier: Apache-2.0
# Every compiler and linker flag of the project. Nothing else sets flags.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_UNITY_BUILD_BATCH_SIZE 8)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS ON)  # TRY is a GNU statement expression
# All code ends in position-independent executables and there are no shared libraries: with -fPIE everywhere one
# precompiled header fits every target.
set(CMAKE_POSITION_INDEPENDENT_CODE OFF)
add_compile_options(-fPIE)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Debug)
endif()
set(CMAKE_CXX_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g1 -D_FORTIFY_SOURCE=2")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g1")
set(CMAKE_C_FLAGS_RELEASE "-O2 -g1 -D_FORTIFY_SOURCE=2")

option(GESTALT_COVERAGE "Instrument for gcov" OFF)
option(GESTALT_FUZZ "Build the libFuzzer targets (clang)" OFF)
set(GESTALT_SANITIZE "" CACHE STRING "Sanitizers, comma separated, for instance address,undefined")

add_compile_options(-Wall -Wextra -Wpedantic -Wshadow -Werror -Wswitch
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor> $<$<COMPILE_LANGUAGE:CXX>:-Woverloaded-virtual>
  -fstack-protector-strong -fstack-clash-protection -fcf-protection -fno-omit-frame-pointer
  -ffile-prefix-map=${CMAKE_SOURCE_DIR}=. -D_FILE_OFFSET_BITS=64)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # -Wpedantic has no switch for statement expressions alone in gcc, and TRY is one.
  # gcc 12 misreads std::variant and std::optional inside containers (-Wmaybe-uninitialized), and takes
  # the moved-from value of a TRY on the stack for a heap object (-Wfree-nonheap-object).
  add_compile_options(-Wno-pedantic -Wno-maybe-uninitialized -Wno-free-nonheap-object)
  # In a joined source every file looks included, whose unnamed namespace would then be another one elsewhere.
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-Wno-subobject-linkage>)
  # Likewise in std::string, only with -O2 (gcc bugs 105329 and 105651).
  add_compile_options($<$<CONFIG:Release>:-Wno-array-bounds> $<$<CONFIG:Release>:-Wno-restrict>
    $<$<CONFIG:Release>:-Wno-stringop-overflow> $<$<CONFIG:Release>:-Wno-stringop-overread>)
else()
  add_compile_options(-Wno-gnu-statement-expression)
  # In a template, a captured `this` counts as unused where the call is of a static member.
  add_compile_options(-Wno-unused-lambda-capture)
endif()
add_link_options(-pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)
if(GESTALT_SANITIZE AND NOT GESTALT_FUZZ)
  # Unoptimized builds take two thirds of the time, which the sanitizers' suites need more than speed.
  set(CMAKE_CXX_FLAGS_DEBUG "-O0 -g1")
endif()
if(GESTALT_SANITIZE)
  add_compile_options(-fsanitize=${GESTALT_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GESTALT_SANITIZE})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    # gcc warns wrongly about the standard library's own code once it is instrumented; the plain
    # builds judge warnings.
    add_compile_options(-Wno-error)
  endif()
endif()
if(GESTALT_COVERAGE)
  add_compile_options(--coverage)
  add_link_options(--coverage)
endif()
if(GESTALT_FUZZ)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
find_program(GESTALT_CCACHE ccache)
if(GESTALT_CCACHE)
  # Paths relative to the tree, so that another clone hits what this one compiled; the sloppiness is what ccache's manual
  # asks for with precompiled headers.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR} CCACHE_NOHASHDIR=1
    CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime ${GESTALT_CCACHE})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fpch-preprocess>)
  endif()
endif()
