/* gRPC 1.10 has static functions called gettid(); since glibc 2.30 <unistd.h> declares a function of that
 * name, and the two clash (MESOS-10210). Declare glibc's first, then give gRPC's another name.
 * compile-flags includes this ahead of the files concerned. */
#include <unistd.h>
#define gettid grpc_gettid
