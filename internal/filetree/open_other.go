//go:build !unix

package filetree

const openFlags = 0
