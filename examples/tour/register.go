package main

import (
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloudopsec/opsec/audit"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/programme/independence"
)

// machine returns the accounts of this machine but for the visitor's. Where there is no file of them, that one is all.
func (t *tour) machine() (register []accounts.Account) {
	passwd, _ := os.ReadFile("/etc/passwd")
	for line := range strings.Lines(string(passwd)) {
		field := strings.Split(strings.TrimSpace(line), ":")
		if len(field) != 7 || field[0] == t.actor.Account {
			continue
		}
		a := accounts.Account{Key: accounts.ParseAccount(t.actor.Tenant, field[0]), State: accounts.Active, Ref: "/etc/passwd"}
		if strings.HasSuffix(field[6], "nologin") || strings.HasSuffix(field[6], "false") {
			a.State = accounts.Disabled
		}
		register = append(register, a)
	}
	return register
}

// acts are what the trail holds.
func (t *tour) acts() iter.Seq2[independence.Act, error] {
	return func(yield func(independence.Act, error) bool) {
		for e, err := range audit.ReadFile(filepath.Join(t.work, "audit.jsonl")) {
			if !yield(independence.ActOf(&e, "audit.jsonl/"+string(e.ID)), err) {
				return
			}
		}
	}
}

func okOr(err error) string {
	if err != nil {
		return err.Error()
	}
	return "yes"
}
