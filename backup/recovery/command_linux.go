package recovery

import (
	"os"
	"os/exec"
	"syscall"
)

// confine makes a command the first of a process group, which is killed as a whole, and gives it a network and processes of its own.
func confine(cmd *exec.Cmd, apart bool) error {
	a := &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if apart {
		a.Cloneflags = syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID // when the first process ends, the system ends the others
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getuid(), HostID: os.Getuid(), Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: os.Getgid(), HostID: os.Getgid(), Size: 1}}
	}
	cmd.SysProcAttr = a
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	return nil
}

// sweep kills what is left of the group of a command that has ended. The group keeps its number as long as somebody is in it; when nobody is,
// the number is as good as never taken again so soon.
func sweep(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
	}
}
