// Package filetree walks directory trees by the byte order of whole paths, and opens files without following links or
// waiting on FIFOs. It serves [os.Root] directories, by bytes and fast, and any [fs.FS].
package filetree
