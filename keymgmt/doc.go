// Package keymgmt is the life of keys: states, policy, custody and evidence, from generation to destruction.
package keymgmt
