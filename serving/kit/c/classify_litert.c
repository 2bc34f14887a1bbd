/* Classifies the kit's golden rows with LiteRT, in C, and judges each answer.
     classify_litert KIT [KIT/models/float32-batch1.tflite]
   Takes the file with a batch of one. README.md says how to build it. */
#include "golden.h"
#include "litert.h"

#define TRY(call)                                                 \
  do {                                                            \
    LiteRtStatus status_ = (call);                                \
    if (status_) {                                                \
      fprintf(stderr, "error: %s gave %d\n", #call, (int)status_); \
      return 3;                                                   \
    }                                                             \
  } while (0)

static int run(LiteRtCompiledModel compiled, LiteRtTensorBuffer input, LiteRtTensorBuffer output, golden *g) {
  size_t in_bytes, out_bytes;
  long row;
  TRY(LiteRtGetTensorBufferPackedSize(input, &in_bytes));
  TRY(LiteRtGetTensorBufferPackedSize(output, &out_bytes));
  if (in_bytes != (size_t)g->input.size * sizeof(float) || out_bytes != (size_t)g->exact.size * sizeof(float)) {
    fprintf(stderr, "error: the model's tensors have not the golden rows' sizes\n");
    return 2;
  }
  for (row = 0; row < g->input.rows; row++) {
    void *memory;
    TRY(LiteRtLockTensorBuffer(input, &memory, kLiteRtLockWrite));
    memcpy(memory, golden_input(g, row), in_bytes);
    TRY(LiteRtUnlockTensorBuffer(input));
    TRY(LiteRtRunCompiledModel(compiled, 0, 1, &input, 1, &output));
    TRY(LiteRtLockTensorBuffer(output, &memory, kLiteRtLockRead));
    judge_row(g, row, memory);
    TRY(LiteRtUnlockTensorBuffer(output));
  }
  return verdict(g);
}

int main(int argc, char **argv) {
  const char *kit = argc > 1 ? argv[1] : ".";
  char path[4096];
  LiteRtEnvironment environment;
  LiteRtModel model;
  LiteRtSignature signature;
  LiteRtTensor in, out;
  LiteRtRankedTensorType in_type, out_type;
  LiteRtOptions options;
  LiteRtCompiledModel compiled;
  LiteRtTensorBufferRequirements needs;
  LiteRtTensorBuffer input, output;
  golden g = read_golden(kit);
  int code;

  if (argc > 2) snprintf(path, sizeof path, "%s", argv[2]);
  else snprintf(path, sizeof path, "%s/models/float32-batch1.tflite", kit);
  TRY(LiteRtCreateEnvironment(0, NULL, &environment));
  TRY(LiteRtCreateModelFromFile(environment, path, &model));
  TRY(LiteRtGetModelSignature(model, 0, &signature));
  TRY(LiteRtGetSignatureInputTensorByIndex(signature, 0, &in));
  TRY(LiteRtGetSignatureOutputTensorByIndex(signature, 0, &out));
  TRY(LiteRtGetRankedTensorType(in, &in_type));
  TRY(LiteRtGetRankedTensorType(out, &out_type));
  TRY(LiteRtCreateOptions(&options));
  TRY(LiteRtSetOptionsHardwareAccelerators(options, kLiteRtHwAcceleratorCpu));
  TRY(LiteRtCreateCompiledModel(environment, model, options, &compiled));
  TRY(LiteRtGetCompiledModelInputBufferRequirements(compiled, 0, 0, &needs));
  TRY(LiteRtCreateManagedTensorBufferFromRequirements(environment, &in_type, needs, &input));
  TRY(LiteRtGetCompiledModelOutputBufferRequirements(compiled, 0, 0, &needs));
  TRY(LiteRtCreateManagedTensorBufferFromRequirements(environment, &out_type, needs, &output));
  code = run(compiled, input, output, &g);
  LiteRtDestroyTensorBuffer(output);
  LiteRtDestroyTensorBuffer(input);
  LiteRtDestroyCompiledModel(compiled);
  LiteRtDestroyOptions(options);
  LiteRtDestroyModel(model);
  LiteRtDestroyEnvironment(environment);
  return code;
}
