// Package browser shows the reports and documents of this module in Chromium: at the width of a telephone and of a desk, in
// light and dark, on paper, and to axe-core, which looks for barriers. It needs Debian's packages chromium and
// poppler-utils, and npm for axe-core. Without them, or without a network to fetch axe-core from, tests are skipped, and
// fail where CI=true.
//
// OPSEC_PICTURES names a folder to keep what was seen in, for people to look at.
package browser
