'use strict';
// What send.js and oracle.js share.

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

module.exports = { load, unwrap, parameters };
