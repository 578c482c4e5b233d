# Writes OUTPUT, a C++ source that holds every FOLDER/sm_*/*.ptx as text (backend/cuda/kernel_texts.h). In pieces, because a compiler
# need not take a literal of more than 16 KB (MSVC) or 64 KB (the standard's least).
set(piece_size 8000)
set(lists "")
set(entries "")
file(GLOB files RELATIVE ${FOLDER} ${FOLDER}/sm_*/*.ptx)
list(SORT files)
foreach(file IN LISTS files)
    string(REGEX MATCH "^(sm_[0-9]+)/([a-z0-9_]+)[.]ptx$" matched "${file}")
    if(NOT matched)
        message(FATAL_ERROR "${FOLDER}/${file}: not a name of a module")
    endif()
    set(family ${CMAKE_MATCH_1})
    set(module ${CMAKE_MATCH_2})
    file(READ ${FOLDER}/${file} text)
    string(LENGTH "${text}" length)
    set(begin 0)
    string(APPEND lists "const char* const k_${family}_${module}[] = {\n")
    while(begin LESS length)
        string(SUBSTRING "${text}" ${begin} ${piece_size} piece)
        string(APPEND lists "R\"ptx(${piece})ptx\",\n")
        math(EXPR begin "${begin} + ${piece_size}")
    endwhile()
    string(APPEND lists "nullptr};\n")
    string(APPEND entries "    {\"${module}\", KernelFamily::${family}, k_${family}_${module}},\n")
endforeach()
file(WRITE ${OUTPUT} "// Made by cmake/embed_ptx.cmake.
#include \"backend/cuda/kernel_texts.h\"

namespace namesake::cuda {
namespace {
${lists}
}  // namespace

const KernelText kKernelTexts[] = {
${entries}    {nullptr, KernelFamily::sm_75, nullptr}};

}  // namespace namesake::cuda
")
