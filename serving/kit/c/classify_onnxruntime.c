/* Classifies the kit's golden rows with ONNX Runtime, in C, and judges each answer.
     classify_onnxruntime KIT [KIT/models/float32.onnx]
   Takes models whose batch is their first axis, one row at a time. README.md says how to build it. */
#include "golden.h"
#include <onnxruntime_c_api.h>

static const OrtApi *ort;

#define TRY(call)                                                          \
  do {                                                                     \
    OrtStatus *status_ = (call);                                           \
    if (status_) {                                                         \
      fprintf(stderr, "error: %s\n", ort->GetErrorMessage(status_));       \
      return 3;                                                            \
    }                                                                      \
  } while (0)

int main(int argc, char **argv) {
  const char *kit = argc > 1 ? argv[1] : ".";
  char path[4096], *input_name, *output_name;
  OrtEnv *environment;
  OrtSessionOptions *options;
  OrtSession *session;
  OrtAllocator *allocator;
  OrtMemoryInfo *memory;
  OrtTypeInfo *type;
  const OrtTensorTypeAndShapeInfo *info;
  int64_t shape[16];
  size_t rank;
  long row;
  golden g = read_golden(kit);

  ort = OrtGetApiBase()->GetApi(ORT_API_VERSION);
  if (!ort) {
    fprintf(stderr, "error: the library is older than its header\n");
    return 3;
  }
  if (argc > 2) snprintf(path, sizeof path, "%s", argv[2]);
  else snprintf(path, sizeof path, "%s/models/float32.onnx", kit);
  TRY(ort->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "kit", &environment));
  TRY(ort->CreateSessionOptions(&options));
  TRY(ort->SetIntraOpNumThreads(options, 1));
  TRY(ort->CreateSession(environment, path, options, &session));
  TRY(ort->GetAllocatorWithDefaultOptions(&allocator));
  TRY(ort->SessionGetInputName(session, 0, allocator, &input_name));
  TRY(ort->SessionGetOutputName(session, 0, allocator, &output_name));
  TRY(ort->SessionGetInputTypeInfo(session, 0, &type));
  TRY(ort->CastTypeInfoToTensorInfo(type, &info));
  TRY(ort->GetDimensionsCount(info, &rank));
  if (rank < 1 || rank > 16) return 2;
  TRY(ort->GetDimensions(info, shape, rank));
  shape[0] = 1;
  TRY(ort->CreateCpuMemoryInfo(OrtArenaAllocator, OrtMemTypeDefault, &memory));
  for (row = 0; row < g.input.rows; row++) {
    OrtValue *input = NULL, *output = NULL;
    float *answer;
    const char *const inputs[] = {input_name}, *const outputs[] = {output_name};
    TRY(ort->CreateTensorWithDataAsOrtValue(memory, (void *)golden_input(&g, row), (size_t)g.input.size * sizeof(float),
                                            shape, rank, ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &input));
    TRY(ort->Run(session, NULL, inputs, (const OrtValue *const *)&input, 1, outputs, 1, &output));
    TRY(ort->GetTensorMutableData(output, (void **)&answer));
    judge_row(&g, row, answer);
    ort->ReleaseValue(output);
    ort->ReleaseValue(input);
  }
  ort->ReleaseMemoryInfo(memory);
  ort->ReleaseTypeInfo(type);
  ort->ReleaseSession(session);
  ort->ReleaseSessionOptions(options);
  ort->ReleaseEnv(environment);
  return verdict(&g);
}
