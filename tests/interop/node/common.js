'use strict';
// What send.js, every.js and oracle.js share.

// The SDKs are found through NODE_PATH: node_modules stays out of the checkout.
function load(name) {
  try {
    return require(name);
  } catch (problem) {
    if (problem.code === 'MODULE_NOT_FOUND') {
      process.stderr.write(`${name} not found: set NODE_PATH to the node_modules made from package-lock.json\n`);
      process.exit(2);
    }
    throw problem;
  }
}

// Some of the packages are CommonJS, some are ES modules translated to it.
function unwrap(module) {
  return module.default || module;
}

// The map of decoded parameters, the last of a repeated key counting.
function parameters(query) {
  const map = {};
  for (const [key, value] of new URLSearchParams(query)) {
    map[key] = value;
  }
  return map;
}

// Loopback only: no proxy.
function avoidProxies() {
  for (const name of ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY']) {
    delete process.env[name];
    delete process.env[name.toLowerCase()];
  }
  process.env.NO_PROXY = process.env.no_proxy = '127.0.0.1,localhost,::1';
}

// What follows a flag on the command line.
function option(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? null : process.argv[at + 1];
}

// The access key of the environment.
function environmentKeys() {
  return {
    id: process.env.ALIBABA_CLOUD_ACCESS_KEY_ID,
    secret: process.env.ALIBABA_CLOUD_ACCESS_KEY_SECRET,
    token: process.env.ALIBABA_CLOUD_SECURITY_TOKEN || undefined,
  };
}

module.exports = { load, unwrap, parameters, avoidProxies, option, environmentKeys };
