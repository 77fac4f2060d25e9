# SPDX-License-Identifier: Apache-2.0
# Turns docs/reference/problems.md into rows {"reason", "meaning"}, sorted, for catalogue.cc.
# Run: cmake -DINPUT=problems.md -DOUTPUT=problem_catalogue.inc -P catalogue.cmake
file(READ ${INPUT} text)
# CMake's lists give a meaning to these; none may split a line.
string(REPLACE ";" "<semicolon>" text "${text}")
string(REPLACE "[" "<open>" text "${text}")
string(REPLACE "]" "<close>" text "${text}")
string(REPLACE "\\" "" text "${text}")
string(REPLACE "\"" "'" text "${text}")
string(REPLACE "\n" ";" lines "${text}")
set(rows "")
foreach(line IN LISTS lines)
  if(line MATCHES "^- `?([a-z][a-z0-9_]*)`? — (.*) — .*$")
    list(APPEND rows "{\"${CMAKE_MATCH_1}\", \"${CMAKE_MATCH_2}\"},")
  endif()
endforeach()
list(REMOVE_DUPLICATES rows)
list(SORT rows)
list(JOIN rows "\n" body)
string(REPLACE "<semicolon>" ";" body "${body}")
string(REPLACE "<open>" "[" body "${body}")
string(REPLACE "<close>" "]" body "${body}")
file(WRITE ${OUTPUT} "// Made from docs/reference/problems.md.\n${body}\n")
