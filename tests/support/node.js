// Put before the test programs of a WebAssembly build: hands node's environment to getenv.
Module['preRun'] = () => Object.assign(ENV, process.env);
