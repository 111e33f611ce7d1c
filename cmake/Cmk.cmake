# SPDX-License-Identifier: MIT
# What every target has in common: warnings, hardening, sanitizers, and the rule that a
# library shows its headers only to those who name it (transitive links stay private).

add_library(cmk_flags INTERFACE)
target_compile_features(cmk_flags INTERFACE c_std_11)
target_compile_definitions(cmk_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64
  CMKDISK_VERSION="${PROJECT_VERSION}")
target_compile_options(cmk_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wformat=2 -Wvla -Wundef -Wwrite-strings -Wpointer-arith
  $<$<COMPILE_LANGUAGE:C>:-Wmissing-prototypes -Wstrict-prototypes -Wold-style-definition>
  $<$<BOOL:${CMKDISK_WERROR}>:-Werror>
  -fno-omit-frame-pointer -fstack-protector-strong)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
# Asserts hold invariants in every build.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
target_link_options(cmk_flags INTERFACE -Wl,-z,relro,-z,now)

if(CMKDISK_SANITIZE STREQUAL "address")
  target_compile_options(cmk_flags INTERFACE -fsanitize=address,undefined -fno-sanitize-recover=all)
  target_link_options(cmk_flags INTERFACE -fsanitize=address,undefined)
elseif(CMKDISK_SANITIZE STREQUAL "thread")
  target_compile_options(cmk_flags INTERFACE -fsanitize=thread)
  target_link_options(cmk_flags INTERFACE -fsanitize=thread)
elseif(CMKDISK_SANITIZE STREQUAL "")
  target_compile_options(cmk_flags INTERFACE -D_FORTIFY_SOURCE=2)
else()
  message(FATAL_ERROR "CMKDISK_SANITIZE is '${CMKDISK_SANITIZE}', expected '', 'address' or 'thread'")
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# cmk_layer(NAME SOURCES file... USES target...)
# A static library cmk_NAME whose folder is its include directory. What it uses is linked but
# not shown on: a header two levels down is not found, and that is the point.
function(cmk_layer name)
  cmake_parse_arguments(A "" "" "SOURCES;USES" ${ARGN})
  add_library(cmk_${name} STATIC ${A_SOURCES})
  target_include_directories(cmk_${name} PUBLIC ${CMAKE_CURRENT_SOURCE_DIR})
  target_link_libraries(cmk_${name} PRIVATE cmk_flags ${A_USES})
endfunction()

# cmk_test(NAME SOURCES file... USES target... [LABELS label...])
# One cmocka program, one ctest entry of the same name.
function(cmk_test name)
  cmake_parse_arguments(A "" "TIMEOUT" "SOURCES;USES;LABELS" ${ARGN})
  add_executable(${name} ${A_SOURCES})
  target_link_libraries(${name} PRIVATE cmk_flags ${A_USES} PkgConfig::CMOCKA Threads::Threads)
  add_test(NAME ${name} COMMAND ${name})
  if(NOT A_TIMEOUT)
    set(A_TIMEOUT 120)
  endif()
  # cmocka's skip() leaves the exit status at 0: one skipped test makes the program's run a skip.
  set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77
    SKIP_REGULAR_EXPRESSION "\\[  SKIPPED \\]" TIMEOUT ${A_TIMEOUT} LABELS "${A_LABELS}")
endfunction()
