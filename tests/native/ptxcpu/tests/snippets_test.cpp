// Instructions one at a time, with results worked out by hand from their definitions in the PTX ISA. All snippets are kernels of one
// module. 64 threads run each; all of them must leave the expected value in %r0.
#include <memory>

#include "tests/device.h"

namespace ptxcpu_tests {
namespace {

struct Snippet {
  const char* code;
  std::uint32_t expected;
};

constexpr unsigned kThreads = 64;

// Extended precision, multiplication, saturation.
const Snippet kIntegers[] = {
    {"add.sat.s32 %r0, 0x7fffffff, 1;", 0x7fffffff},
    {"sub.sat.s32 %r0, 0x80000000, 1;", 0x80000000},
    {"add.cc.u32 %r1, 0xffffffff, 1; addc.u32 %r0, 5, 6;", 12},
    {"add.cc.u32 %r1, 0xfffffffe, 1; addc.u32 %r0, 5, 6;", 11},
    {"sub.cc.u32 %r1, 0, 1; subc.u32 %r0, 10, 3;", 6},
    {"add.cc.u32 %r1, 0xffffffff, 1; addc.cc.u32 %r2, 0xffffffff, 0; addc.u32 %r0, 0, 0;", 1},
    {"mov.u64 %rd0, 0xffffffffffffffff; mul.hi.u64 %rd1, %rd0, 2; cvt.u32.u64 %r0, %rd1;", 1},
    {"mad.hi.s32 %r0, -1, 2, 5;", 4},
    {"mad.lo.u32 %r0, 0x10001, 0x10001, 1;", 0x00020002},
    {"mov.u16 %h0, 0xffff; mul.wide.s16 %r0, %h0, %h0;", 1},
    {"sad.u32 %r0, 3, 10, 5;", 12},
    {"sad.s32 %r0, -3, 4, 1;", 8},
    {"dp2a.lo.u32.u32 %r0, 0x00020003, 0x06050403, 1;", 18},
    {"dp2a.hi.u32.u32 %r0, 0x00020003, 0x06050403, 1;", 28},
    {"dp4a.u32.s32 %r0, 0x01020304, 0xffffffff, 11;", 1},
    {"div.s32 %r0, 0x80000000, -1;", 0x80000000},
    {"rem.s32 %r0, -7, 3;", 0xffffffff},
    {"min.s32 %r0, -1, 1;", 0xffffffff},
    {"max.u32 %r0, -1, 1;", 0xffffffff},
    {"abs.s32 %r0, -5;", 5},
};

const Snippet kBits[] = {
    {"lop3.b32 %r0, 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0x1b;", 0x1b1b1b1b},  // these operands spell the table
    {"lop3.b32 %r0, 0xf0f0f0f0, 0xcccccccc, 0xaaaaaaaa, 0xe8;", 0xe8e8e8e8},
    {"bfe.u32 %r0, 0x12345678, 8, 12;", 0x456},
    {"bfe.s32 %r0, 0x00000f00, 8, 4;", 0xffffffff},
    {"bfe.s32 %r0, 0x90000000, 28, 8;", 0xfffffff9},
    {"bfe.u32 %r0, 0x12345678, 8, 0;", 0},
    {"bfi.b32 %r0, 0xab, 0x12345678, 8, 8;", 0x1234ab78},
    {"bfind.u32 %r0, 0x00012345;", 16},
    {"bfind.s32 %r0, 0xffff0000;", 15},
    {"bfind.u32 %r0, 0;", 0xffffffff},
    {"bfind.shiftamt.u32 %r0, 0x00012345;", 15},
    {"prmt.b32 %r0, 0x00000080, 0, 0x0008;", 0x808080ff},
    {"prmt.b32.f4e %r0, 0x33221100, 0x77665544, 1;", 0x44332211},
    {"prmt.b32.b4e %r0, 0x33221100, 0x77665544, 1;", 0x66770011},
    {"prmt.b32.rc8 %r0, 0x33221100, 0x77665544, 2;", 0x22222222},
    {"prmt.b32.ecl %r0, 0x33221100, 0x77665544, 1;", 0x33221111},
    {"prmt.b32.ecr %r0, 0x33221100, 0x77665544, 1;", 0x11111100},
    {"prmt.b32.rc16 %r0, 0x33221100, 0x77665544, 1;", 0x33223322},
    {"mov.u64 %rd0, 1; clz.b64 %r0, %rd0;", 63},
    {"mov.u64 %rd0, 0xff00000000000001; popc.b64 %r0, %rd0;", 9},
    {"mov.u64 %rd0, 2; brev.b64 %rd1, %rd0; mov.b64 {%r1, %r0}, %rd1;", 0x40000000},
    {"shf.r.clamp.b32 %r0, 0x89abcdef, 0x01234567, 8;", 0x6789abcd},
    {"shf.l.wrap.b32 %r0, 0x89abcdef, 0x01234567, 40;", 0x23456789},
    {"shf.l.clamp.b32 %r0, 0x89abcdef, 0x01234567, 40;", 0x89abcdef},
    {"shf.r.clamp.b32 %r0, 0x89abcdef, 0x01234567, 32;", 0x01234567},
    {"mov.u32 %r1, 33; shl.b32 %r0, 1, %r1;", 0},
    {"mov.u32 %r1, 40; shr.s32 %r0, 0x80000000, %r1;", 0xffffffff},
    {"cnot.b32 %r0, 0;", 1},
    {"xor.b32 %r0, 0xff, 0x0f;", 0xf0},
};

// 1/3 is 0x3eaaaaaa.aaa…, the root of 2 0x3fb504f3.3…
const Snippet kRounding[] = {
    {"mov.f32 %f0, 0f3f800000; add.rp.f32 %f1, %f0, 0f30800000; mov.b32 %r0, %f1;", 0x3f800001},
    {"mov.f32 %f0, 0f3f800000; add.rm.f32 %f1, %f0, 0f30800000; mov.b32 %r0, %f1;", 0x3f800000},
    {"mov.f32 %f0, 0fbf800000; add.rz.f32 %f1, %f0, 0fb0800000; mov.b32 %r0, %f1;", 0xbf800000},
    {"mov.f32 %f0, 0fbf800000; add.rm.f32 %f1, %f0, 0fb0800000; mov.b32 %r0, %f1;", 0xbf800001},
    {"mov.f32 %f0, 0f3f800000; div.rn.f32 %f1, %f0, 0f40400000; mov.b32 %r0, %f1;", 0x3eaaaaab},
    {"mov.f32 %f0, 0f3f800000; div.rz.f32 %f1, %f0, 0f40400000; mov.b32 %r0, %f1;", 0x3eaaaaaa},
    {"mov.f32 %f0, 0f40000000; sqrt.rp.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x3fb504f4},
    {"mov.f32 %f0, 0f40000000; sqrt.rm.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x3fb504f3},
    {"mov.u32 %r1, 0x7fffffff; cvt.rn.f32.s32 %f0, %r1; mov.b32 %r0, %f0;", 0x4f000000},
    {"mov.u32 %r1, 0x7fffffff; cvt.rz.f32.s32 %f0, %r1; mov.b32 %r0, %f0;", 0x4effffff},
    {"mov.u32 %r1, 16777217; cvt.rp.f32.s32 %f0, %r1; mov.b32 %r0, %f0;", 0x4b800001},
    {"mov.f64 %d0, 0d3ff0000000000001; cvt.rp.f32.f64 %f0, %d0; mov.b32 %r0, %f0;", 0x3f800001},
    {"mov.f32 %f0, 0fbfc00000; cvt.rzi.u32.f32 %r0, %f0;", 0},
    {"mov.f32 %f0, 0f40200000; cvt.rni.s32.f32 %r0, %f0;", 2},
    {"mov.f32 %f0, 0f40066666; cvt.rpi.s32.f32 %r0, %f0;", 3},
    {"mov.f32 %f0, 0f7fc00000; cvt.rzi.s32.f32 %r0, %f0;", 0},
    {"mov.f32 %f0, 0f4f32d05e; cvt.rzi.s32.f32 %r0, %f0;", 0x7fffffff},
    {"mov.u32 %r1, 300; cvt.sat.u8.u32 %h0, %r1; cvt.u32.u16 %r0, %h0;", 255},
};

const Snippet kFloats[] = {
    {"mov.f32 %f0, 0f40400000; ex2.approx.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x41000000},
    {"mov.f32 %f0, 0f41000000; lg2.approx.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x40400000},
    {"mov.f32 %f0, 0f00000000; cos.approx.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x3f800000},
    {"mov.f32 %f0, 0f42c80000; tanh.approx.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x3f800000},
    {"mov.f32 %f0, 0f40800000; rcp.approx.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x3e800000},
    {"mov.f32 %f0, 0f40800000; rsqrt.approx.f32 %f1, %f0; mov.b32 %r0, %f1;", 0x3f000000},
    {"mov.f32 %f0, 0f7fc00000; min.f32 %f1, %f0, 0f3f800000; mov.b32 %r0, %f1;", 0x3f800000},
    {"mov.f32 %f0, 0f80000000; max.f32 %f1, %f0, 0f00000000; mov.b32 %r0, %f1;", 0},
    {"mov.f32 %f0, 0f80000000; min.f32 %f1, 0f00000000, %f0; mov.b32 %r0, %f1;", 0x80000000},
    {"mov.f32 %f0, 0fbf800000; copysign.f32 %f1, %f0, 0f40000000; mov.b32 %r0, %f1;", 0xc0000000},
    {"mov.f32 %f0, 0f00000001; add.ftz.f32 %f1, %f0, %f0; mov.b32 %r0, %f1;", 0},
    {"mov.f32 %f0, 0f40000000; add.sat.f32 %f1, %f0, %f0; mov.b32 %r0, %f1;", 0x3f800000},
    {"mov.f32 %f0, 0fff800000; testp.infinite.f32 %p0, %f0; selp.u32 %r0, 7, 8, %p0;", 7},
    {"mov.f32 %f0, 0f00000001; testp.subnormal.f32 %p0, %f0; selp.u32 %r0, 7, 8, %p0;", 7},
    {"mov.b32 %r1, 0x3c004000; add.f16x2 %r0, %r1, %r1;", 0x40004400},
    {"mov.b32 %r1, 0x3f804000; mov.b32 %r2, 0x40004000; mov.b32 %r3, 0x3f803f80; fma.rn.bf16x2 %r0, %r1, %r2, %r3;", 0x404040a0},
    {"mov.b32 %r1, 0xbc004000; mov.b32 %r2, 0; fma.rn.relu.f16x2 %r0, %r1, 0x3c003c00, %r2;", 0x00004000},
    {"mov.b32 %r1, 0xbc004000; neg.f16x2 %r0, %r1;", 0x3c00c000},
    {"mov.b32 %r1, 0xbf80c000; abs.bf16x2 %r0, %r1;", 0x3f804000},
    {"cvt.rn.bf16x2.f32 %r0, 0f3f800000, 0f40000000;", 0x3f804000},
    {"cvt.rn.relu.f16x2.f32 %r0, 0fbf800000, 0f40000000;", 0x00004000},
    {"mov.f32 %f0, 0f3f80ffff; cvt.rz.bf16.f32 %h0, %f0; cvt.u32.u16 %r0, %h0;", 0x3f80},
    {"cvt.rn.satfinite.e4m3x2.f32 %h0, 0f3f800000, 0f43fa0000; cvt.u32.u16 %r0, %h0;", 0x387e},  // 1 and 500, above the largest
    {"cvt.rn.satfinite.e5m2x2.f32 %h0, 0f3f800000, 0f3f000000; cvt.u32.u16 %r0, %h0;", 0x3c38},
    {"mov.u16 %h0, 0x3840; cvt.rn.f16x2.e4m3x2 %r0, %h0;", 0x3c004000},
    {"mov.u16 %h0, 0x3c40; cvt.rn.f16x2.e5m2x2 %r0, %h0;", 0x3c004000},
};

const Snippet kComparisons[] = {
    {"slct.u32.s32 %r0, 7, 9, -1;", 9},
    {"slct.b32.f32 %r0, 7, 9, 0f80000000;", 7},
    {"set.gt.u32.s32 %r0, 5, 3;", 0xffffffff},
    {"mov.f32 %f0, 0f3f800000; set.lt.f32.f32 %f1, %f0, 0f40000000; mov.b32 %r0, %f1;", 0x3f800000},
    {"setp.eq.s32 %p2, 1, 1; setp.gt.and.s32 %p0|%p1, 5, 3, %p2; selp.u32 %r1, 1, 0, %p0; selp.u32 %r2, 2, 0, %p1; add.u32 %r0, %r1, %r2;",
     1},
    {"setp.eq.s32 %p2, 1, 1; setp.gt.xor.s32 %p0|%p1, 5, 3, %p2; selp.u32 %r1, 1, 0, %p0; selp.u32 %r2, 2, 0, %p1; add.u32 %r0, %r1, %r2;",
     2},
    {"mov.f32 %f0, 0f7fc00000; setp.ltu.f32 %p0, %f0, %f0; setp.lt.f32 %p1, %f0, %f0; selp.u32 %r1, 1, 0, %p0; selp.u32 %r0, 9, %r1, %p1;",
     1},
    {"mov.f32 %f0, 0f7fc00000; setp.ne.f32 %p0, %f0, 0f3f800000; setp.neu.f32 %p1, %f0, 0f3f800000; selp.u32 %r1, 1, 0, %p1; "
     "selp.u32 %r0, 9, %r1, %p0;",
     1},
    {"mov.b32 %r1, 0x3c004000; mov.b32 %r2, 0x40003c00; setp.gt.f16x2 %p0|%p1, %r1, %r2; selp.u32 %r3, 1, 0, %p0; "
     "selp.u32 %r0, 9, %r3, %p1;",
     1},
    {"setp.lo.u32 %p0, 1, -1; selp.u32 %r0, 7, 8, %p0;", 7},
};

// Shared word `s` is 0 and all threads have passed a barrier when a snippet starts.
const Snippet kMemory[] = {
    {"cvta.shared.u64 %rd0, s; isspacep.shared %p0, %rd0; isspacep.global %p1, %rd0; selp.u32 %r1, 1, 0, %p0; selp.u32 %r0, 9, %r1, %p1;",
     1},
    {"isspacep.global %p0, %rd7; selp.u32 %r0, 1, 0, %p0;", 1},
    {"red.shared.add.u32 [s], 2; bar.sync 0; ld.shared.u32 %r0, [s];", 128},
    {"atom.shared.inc.u32 %r1, [s], 6; bar.sync 0; ld.shared.u32 %r0, [s];", 64 % 7},
    {"atom.shared.dec.u32 %r1, [s], 6; bar.sync 0; ld.shared.u32 %r0, [s];", 6},  // 6, 5, … 0, 6: the 64th of 7 in turn
    {"atom.shared.max.s32 %r1, [s], -3; bar.sync 0; ld.shared.u32 %r0, [s];", 0},
    {"red.shared.add.noftz.bf16x2 [s], 0x3f803f80; bar.sync 0; ld.shared.u32 %r0, [s];", 0x42804280},
    {"mov.u32 %r1, 0; st.shared.u32 [s], 5; cp.async.ca.shared.global [s], [%rd7], 4, %r1; cp.async.wait_all; bar.sync 0; "
     "ld.shared.u32 %r0, [s];",
     0},
    {"mov.b32 {%h0, %h1}, 0x00020001; mov.b32 %r0, {%h1, %h0};", 0x00010002},
    {"mov.u64 %rd0, 0x100000002; st.local.u64 [l], %rd0; ld.local.v2.u32 {%r1, %r2}, [l]; mad.lo.u32 %r0, %r2, 16, %r1;", 18},
};

const Snippet kControl[] = {
    {"mov.u32 %r1, 1; t: .branchtargets A, B; brx.idx %r1, t; A: mov.u32 %r0, 3; bra C; B: mov.u32 %r0, 4; C:", 4},
    {"mov.u32 %r0, 9; setp.lt.u32 %p0, %r10, 70; @!%p0 bra D; mov.u32 %r0, 8; D:", 8},
    {"setp.lt.u32 %p0, %r10, 10; bar.red.popc.u32 %r0, 0, %p0;", 10},
    {"setp.lt.u32 %p0, %r10, 10; bar.red.and.pred %p1, 0, %p0; bar.red.or.pred %p2, 0, %p0; selp.u32 %r1, 1, 0, %p1; selp.u32 %r2, 2, 0, "
     "%p2; "
     "add.u32 %r0, %r1, %r2;",
     2},
    {"barrier.sync 3, 64; mov.u32 %r0, 1;", 1},
    {"setp.lt.u32 %p0, %r10, 100; vote.sync.uni.pred %p1, %p0, 0xffffffff; selp.u32 %r0, 1, 0, %p1;", 1},
    {"mov.u32 %r1, %laneid; sub.s32 %r2, %r1, 40; redux.sync.min.s32 %r0, %r2, 0xffffffff;", 0xffffffd8},
    {"mov.u32 %r1, %laneid; setp.lt.u32 %p0, %r1, 16; @%p0 redux.sync.xor.b32 %r0, %r1, 0x0000ffff; shfl.sync.idx.b32 %r0, %r0, 0, 31, "
     "0xffffffff;",
     0},
    {"mov.u32 %r0, WARP_SZ;", 32},
    {"mov.u32 %r0, %ntid.x;", 64},
};

/// A kernel k<index> with the snippet between its prologue and the store of %r0 to out[tid].
std::string kernel_of(const Snippet& snippet, std::size_t index) {
  return ".visible .entry k" + std::to_string(index) + R"((.param .u64 out)
{
.reg .b32 %r<16>; .reg .b64 %rd<10>; .reg .b16 %h<8>; .reg .f32 %f<8>; .reg .f64 %d<4>; .reg .pred %p<4>;
.shared .align 16 .b8 s[16];
.local .align 8 .b8 l[8];
ld.param.u64 %rd7, [out];
mov.u32 %r10, %tid.x;
mul.wide.u32 %rd8, %r10, 4;
add.s64 %rd9, %rd7, %rd8;
st.shared.u32 [s], 0;
bar.sync 0;
)" + snippet.code +
         "\nst.global.u32 [%rd9], %r0;\nret;\n}\n";
}

template <std::size_t N>
void check(const Snippet (&snippets)[N]) {
  std::string ptx = ".version 7.8\n.target sm_80\n.address_size 64\n";
  for (std::size_t i = 0; i < N; ++i) ptx += kernel_of(snippets[i], i);
  const std::unique_ptr<Module> module = Module::of_text(ptx);
  const Buffer<std::uint32_t> out(kThreads);
  for (std::size_t i = 0; i < N; ++i) {
    CAPTURE(std::string(snippets[i].code));
    CHECK(module->run(("k" + std::to_string(i)).c_str(), 1, kThreads, 0, out.at()) == CUDA_SUCCESS);
    std::string got;
    for (const std::uint32_t value : out.values()) {
      if (value != snippets[i].expected && got.empty()) got = std::to_string(value);
    }
    CHECK_MESSAGE(got.empty(), "got " << got << ", expected " << snippets[i].expected);
  }
}

}  // namespace

TEST_CASE("integer instructions") { check(kIntegers); }
TEST_CASE("bit instructions") { check(kBits); }
TEST_CASE("rounding modes") { check(kRounding); }
TEST_CASE("floating instructions") { check(kFloats); }
TEST_CASE("comparisons") { check(kComparisons); }
TEST_CASE("memory and atomics") { check(kMemory); }
TEST_CASE("control flow, barriers and warps") { check(kControl); }

}  // namespace ptxcpu_tests
