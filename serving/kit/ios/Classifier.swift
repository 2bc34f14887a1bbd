// NOT EXECUTED: isomer's tests have no Xcode. Written after the documentation of the pod TensorFlowLiteSwift.
// The model is models/float32-batch1.tflite in the app's bundle.

import Foundation
import TensorFlowLite

final class Classifier {
    private let interpreter: Interpreter

    init() throws {
        guard let path = Bundle.main.path(forResource: "float32-batch1", ofType: "tflite") else {
            throw CocoaError(.fileNoSuchFile)
        }
        var options = Interpreter.Options()
        options.threadCount = 1
        interpreter = try Interpreter(modelPath: path, options: options)
        try interpreter.allocateTensors()
    }

    /// The scores of one row of the model's input, flattened in C order.
    func scores(_ row: [Float32]) throws -> [Float32] {
        try interpreter.copy(row.withUnsafeBufferPointer(Data.init(buffer:)), toInputAt: 0)
        try interpreter.invoke()
        let data = try interpreter.output(at: 0).data
        return data.withUnsafeBytes { Array($0.bindMemory(to: Float32.self)) }
    }

    func classify(_ row: [Float32]) throws -> Int {
        let values = try scores(row)
        return values.indices.max { values[$0] < values[$1] } ?? -1
    }
}
