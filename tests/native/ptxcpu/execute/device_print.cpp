#include "execute/device_print.h"

#include <cstdint>
#include <cstdio>
#include <cstring>

namespace ptxcpu {
namespace {

class Arguments {
 public:
  explicit Arguments(const unsigned char* bytes) : bytes_(bytes) {}
  template <class T>
  T next() {
    offset_ = (offset_ + sizeof(T) - 1) / sizeof(T) * sizeof(T);
    T value;
    std::memcpy(&value, bytes_ + offset_, sizeof value);
    offset_ += sizeof value;
    return value;
  }

 private:
  const unsigned char* bytes_;
  std::size_t offset_ = 0;
};

template <class T>
std::string formatted(const std::string& spec, T value) {
  char out[512];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
  std::snprintf(out, sizeof out, spec.c_str(), value);
#pragma GCC diagnostic pop
  return out;
}

}  // namespace

std::string device_print(const char* format, const unsigned char* bytes) {
  Arguments arguments(bytes);
  std::string out;
  while (*format) {
    if (*format != '%') {
      out += *format++;
      continue;
    }
    std::string spec(1, *format++);
    while (*format && std::strchr("-+ #0123456789.", *format)) spec += *format++;
    bool wide = false;
    for (; *format == 'l' || *format == 'h' || *format == 'z'; ++format) wide |= *format != 'h';
    const char kind = *format ? *format++ : '%';
    if (kind == '%') {
      out += '%';
    } else if (std::strchr("eEfFgGaA", kind)) {
      out += formatted(spec + kind, arguments.next<double>());
    } else if (kind == 's') {
      out += formatted(spec + kind, arguments.next<const char*>());
    } else if (kind == 'p') {
      out += formatted(spec + kind, arguments.next<void*>());
    } else if (wide) {
      out += formatted(spec + "ll" + kind, arguments.next<unsigned long long>());
    } else {
      out += formatted(spec + kind, arguments.next<unsigned>());
    }
  }
  return out;
}

}  // namespace ptxcpu
