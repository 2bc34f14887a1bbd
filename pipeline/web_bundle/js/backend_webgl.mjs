// The WebGL backend.

import {MathBackendWebGL} from '@tensorflow/tfjs-backend-webgl/dist/backend_webgl.js';
import {ENGINE} from '@tensorflow/tfjs-core/dist/engine.js';

const context = () => ENGINE.backend?.gpgpu?.gl;

export async function begin() {
  ENGINE.registerBackend('webgl', () => new MathBackendWebGL());
}

export function describe() {
  const gl = context();
  const info = gl.getExtension('WEBGL_debug_renderer_info');
  return {
    adapter: String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER)),
    adapter_vendor: String(gl.getParameter(info ? info.UNMASKED_VENDOR_WEBGL : gl.VENDOR)),
    webgl_version: String(gl.getParameter(gl.VERSION)),
    max_texture_size: gl.getParameter(gl.MAX_TEXTURE_SIZE),
  };
}

export const alive = () => !context().isContextLost();
