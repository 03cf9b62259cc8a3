// Package bolt is a [store.Driver] over one file, for a service that runs on one machine: nothing to install, nothing
// to operate. The file is a bbolt database (https://go.etcd.io/bbolt), a copy-on-write B+ tree that a crash cannot
// leave half written.
//
//	driver, err := bolt.Open("/var/lib/console/state.db", nil)
//	if err != nil {
//		return err
//	}
//	defer driver.Close()
//
// # Commits
//
// A commit is on stable storage when it returns nil: two fdatasync(2), always. Callers that wait at the same time share
// them. The first does the work for all, in their order, and each has its own result: a conflict of one touches no
// other. There is no timer and no goroutine, so a lone caller waits for nobody.
//
// When the disk is full, or the write fails otherwise, the commit returns that error, nothing has been written, and the
// driver goes on. Only when the disk fails at the very last step is it unknown whether the commit will outlive a crash;
// that is [store.ErrIndeterminate], and the driver refuses all commits from then on, since only opening the file anew
// shows what has remained. Reads do not show a commit before it is durable.
//
// # One opener
//
// One Driver has the file at a time, whatever path leads to it: Open returns [ErrInUse] at once otherwise. The lock is
// flock(2) where the system has it, which some network file systems do not honour. The file does not belong on one.
//
// # Backups
//
// [Driver.Backup] writes a consistent image to a stream while commits go on, and ends it with a seal: its length and
// SHA-256. [Restore] gives a file its name only after seal, structure and every page have been found right, and lifts
// the revisions above all that the lost file can have used after the backup. The seal finds accidents. Whoever can write
// the stream can seal it too, so keep backups where an attacker cannot write, or sign them.
//
// # Limits
//
// Space that deletions free is used again but not returned to the file system. A Backup that takes long keeps what
// was freed meanwhile from being used again. [Driver.Check] holds up commits until it has ended.
package bolt
