// Package slapd_test compares the lockout of identity/lockout with that of OpenLDAP: a slapd of its own with the ppolicy overlay, and
// binds to it, one after the other, with the time passing by as much as a test likes.
package slapd_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

const (
	suffix = "dc=example"
	root   = "cn=admin," + suffix
	word   = "admin" // of a server that lives in a test, on a socket in its directory
	relax  = "1.3.6.1.4.1.4203.666.5.12"
	stamp  = "20060102150405.999999Z"
)

// server is a slapd that runs until the test ends.
type server struct {
	t   *testing.T
	uri string
	adm *ldap.Conn
}

// start starts one. Where slapd or its overlay is not installed the test is skipped, and fails in CI.
func start(t *testing.T) *server {
	program, err := exec.LookPath("slapd")
	if err != nil {
		program, err = exec.LookPath("/usr/sbin/slapd")
	}
	const modules, schema = "/usr/lib/ldap", "/etc/ldap/schema/core.schema"
	for _, file := range []string{filepath.Join(modules, "ppolicy.so"), filepath.Join(modules, "back_mdb.so"), schema} {
		if err == nil {
			_, err = os.Stat(file)
		}
	}
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal(err)
	}
	if err != nil {
		t.Skip("package slapd is not installed: ", err)
	}
	dir, err := os.MkdirTemp("", "slapd") // t.TempDir is too long for the path of a socket
	must(t, err)
	t.Cleanup(func() { os.RemoveAll(dir) })
	must(t, os.Mkdir(filepath.Join(dir, "db"), 0o700))
	conf := filepath.Join(dir, "slapd.conf")
	must(t, os.WriteFile(conf, fmt.Appendf(nil, `include %s
modulepath %s
moduleload back_mdb
moduleload ppolicy
database mdb
suffix "%s"
rootdn "%s"
rootpw %s
directory %s
dbnosync
overlay ppolicy
ppolicy_default "cn=policy,%s"
ppolicy_use_lockout
`, schema, modules, suffix, root, word, filepath.Join(dir, "db"), suffix), 0o600))

	s := &server{t: t, uri: "ldapi://" + url.PathEscape(filepath.Join(dir, "s"))}
	cmd := exec.Command(program, "-f", conf, "-h", s.uri, "-d", "0")
	var said strings.Builder
	cmd.Stderr = &said
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String(), cmd.ProcessState)
		}
	})
	for range 200 {
		if s.adm, err = ldap.DialURL(s.uri); err == nil {
			break
		}
		time.Sleep(25 * time.Millisecond) // it says nothing when it listens
	}
	if err != nil {
		t.Fatal(err, said.String())
	}
	t.Cleanup(func() { s.adm.Close() })
	must(t, s.adm.Bind(root, word))
	s.add(suffix, map[string][]string{"objectClass": {"dcObject", "organization"}, "dc": {"example"}, "o": {"example"}})
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) add(dn string, attributes map[string][]string) {
	s.t.Helper()
	r := ldap.NewAddRequest(dn, nil)
	for name, values := range attributes {
		r.Attribute(name, values)
	}
	must(s.t, s.adm.Add(r))
}

// policy sets the default password policy, given as attributes without "pwd".
func (s *server) policy(figures map[string]int) {
	s.t.Helper()
	dn := "cn=policy," + suffix
	if err := s.adm.Del(ldap.NewDelRequest(dn, nil)); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
		s.t.Fatal(err)
	}
	attributes := map[string][]string{
		"objectClass": {"organizationalRole", "pwdPolicy"}, "cn": {"policy"}, "pwdAttribute": {"userPassword"}, "pwdLockout": {"TRUE"},
	}
	for name, n := range figures {
		attributes["pwd"+name] = []string{fmt.Sprint(n)}
	}
	s.add(dn, attributes)
}

// user is an account of the server. Its password is "right".
type user struct {
	*server
	dn string
}

func (s *server) user(name string) *user {
	s.t.Helper()
	u := &user{s, "cn=" + name + "," + suffix}
	s.add(u.dn, map[string][]string{"objectClass": {"person"}, "cn": {name}, "sn": {name}, "userPassword": {"right"}})
	return u
}

// turn is how long after the turn of a second no bind is made. Slapd stamps a lock with the exact clock and judges it by the coarse one
// of time(2), which follows by up to a tick (10 ms): a lock of the second that has just begun lies in the future then, and is not heeded.
const turn = 20 * time.Millisecond

// bind tries a password, and reports whether the account was locked before.
func (u *user) bind(password string) (in, locked bool) {
	u.t.Helper()
	if past := time.Duration(time.Now().Nanosecond()); past < turn {
		time.Sleep(turn - past)
	}
	c, err := ldap.DialURL(u.uri)
	must(u.t, err)
	defer c.Close()
	r, err := c.SimpleBind(&ldap.SimpleBindRequest{Username: u.dn, Password: password, Controls: []ldap.Control{ldap.NewControlBeheraPasswordPolicy()}})
	if err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
		u.t.Fatal(err)
	}
	if r == nil {
		u.t.Fatal("no result of a bind: ", err)
	}
	if p, ok := ldap.FindControl(r.Controls, ldap.ControlTypeBeheraPasswordPolicy).(*ldap.ControlBeheraPasswordPolicy); ok {
		locked = p.Error == 1 // accountLocked
	} else {
		u.t.Fatal("no password policy control in the answer")
	}
	return err == nil, locked
}

// clocks are the attributes in which slapd remembers when something happened. A third, pwdAccountTmpLockoutEnd, comes with
// pwdMinDelay, with which slapd 2.5.13 crashes at the first wrong bind.
var clocks = []string{"pwdFailureTime", "pwdAccountLockedTime"}

// byHand is what stands in pwdAccountLockedTime when an administrator has locked the account.
const byHand = "000001010000Z"

// pass lets so much time go by, for this user: everything happened so much earlier.
func (u *user) pass(d time.Duration) {
	u.t.Helper()
	found, err := u.adm.Search(ldap.NewSearchRequest(u.dn, ldap.ScopeBaseObject, ldap.NeverDerefAliases, 0, 0, false, "(objectClass=*)", clocks, nil))
	must(u.t, err)
	r := ldap.NewModifyRequest(u.dn, []ldap.Control{ldap.NewControlString(relax, true, "")})
	for _, name := range clocks {
		var earlier []string
		for _, v := range found.Entries[0].GetAttributeValues(name) {
			if v == byHand {
				continue
			}
			at, err := time.Parse(stamp, v)
			must(u.t, err)
			layout := stamp
			if name == "pwdFailureTime" {
				layout = "20060102150405.000000Z"
			}
			earlier = append(earlier, at.Add(-d).Format(layout))
		}
		if earlier != nil {
			r.Replace(name, earlier)
		}
	}
	if len(r.Changes) > 0 {
		must(u.t, u.adm.Modify(r))
	}
}

// unlock is what an administrator does: the lock and the failures are gone.
func (u *user) unlock() {
	u.t.Helper()
	for _, name := range clocks {
		r := ldap.NewModifyRequest(u.dn, []ldap.Control{ldap.NewControlString(relax, true, "")})
		r.Delete(name, nil)
		if err := u.adm.Modify(r); err != nil && !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchAttribute) {
			u.t.Fatal(err)
		}
	}
}

// hold is the lock of an administrator.
func (u *user) hold() {
	u.t.Helper()
	r := ldap.NewModifyRequest(u.dn, []ldap.Control{ldap.NewControlString(relax, true, "")})
	r.Replace("pwdAccountLockedTime", []string{byHand})
	must(u.t, u.adm.Modify(r))
}
