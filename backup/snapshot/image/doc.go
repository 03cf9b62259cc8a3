// Package image reads the headers of disk images for what they need to be read, and makes the nodes of package snapshot of them. It opens them for
// reading, in the folders that are named, and never follows a reference out of these.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.10: virtual machine snapshots are to be used with prudence, since what follows a snapshot that is
// destroyed is invalid. Which snapshots hang on which stands in the headers of their files.
//
// # In short
//
//	inventory, err := image.Scan(ctx, "/var/lib/libvirt/images", "/etc/libvirt/qemu/snapshot")
//	graph, err := inventory.Graph()
//	report, err := graph.Analyze(snapshot.FailureModel{P: 0.01, Now: time.Now()}, nil)
//	report.Add(inventory.Findings...)
//
// # What is read
//
//   - qcow2, version 2 and 3: the backing file, the data file, internal snapshots, what marks it as dirty, corrupt or encrypted;
//   - VMDK: descriptors, and those inside of sparse extents; extents; the parent, with its content id;
//   - VHD: footers, the parent's name and unique id;
//   - VHDX: headers, metadata, the parent's name and the id of its last write;
//   - libvirt's XML of a snapshot of a machine: the files and internal snapshots that it is made of;
//   - JSON of any other system ([Document]).
//
// A file is what its first bytes say, whatever its name. What has no mark is raw, and counts when an image refers to it or a caller names it.
//
// # Promises
//
// Headers are hostile input. Names, tables, counts and texts are bounded; nothing is allocated by a figure of the file before it is
// held against the file's size. What a header says that cannot be makes the image broken, with a finding, and the scan goes on.
//
// A reference by protocol ("nbd:", "json:") is a finding and is not followed; nor is one that leads out of the folders, directly, by ".." or
// by a link. Only regular files are opened. Several folders are
// one whole: what leads from one into another is followed. What is mounted in a folder is in it, and so is a file that has a second name (a hard link)
// elsewhere: keep those who write there from making such.
//
// No file spoils the report: what it lists, and how long its path is, is bounded ([MaxFiles], [MaxListed]), and what a graph would not take is a finding.
// A file that cannot be opened is one too. No file speaks for another: that a header calls an image its data file does not make it one, and where
// header and reference differ about a format, that is a finding ([RuleMistaken]).
//
// A VMDK, VHD or VHDX whose parent was written to since is broken ([RuleModified]): the ids that its header and its parent's hold differ. qcow2
// has no such ids, and nobody can tell from its header.
//
// # What it will not do
//
// Look for images behind links that no image names: those in a folder are not listed. Know by which name an image will be opened: QEMU takes relative
// names from the folder of that name, this package from the folder that the file is in, which differ for a file that is a link into another folder.
//
// Read data: what is in the clusters of an image can be damaged with a header that is not. Know which snapshot a file's name stands for, or
// when it was taken: a file has the time when it was last written. Read images on block devices, in pools or clouds: describe these as JSON.
package image
