// Windows host: on Windows a library's symbols belong to a file by name, and the addon is loaded by node.exe or by an app of
// any name (Electron). Node's functions are therefore linked late, from the program that runs, whatever it is called.
#ifdef _WIN32

#ifndef NOMINMAX
#define NOMINMAX
#endif
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#include <windows.h>

#include <delayimp.h>

#include <cstring>

namespace {

FARPROC WINAPI find_host(unsigned event, DelayLoadInfo* info) {
  if (event != dliNotePreLoadLibrary || _stricmp(info->szDll, "node.exe") != 0) return nullptr;
  return reinterpret_cast<FARPROC>(GetModuleHandleW(nullptr));
}

}  // namespace

/// What the linker's own late binding asks before it loads a library.
extern "C" {
PfnDliHook __pfnDliNotifyHook2 = find_host;
}

#endif
