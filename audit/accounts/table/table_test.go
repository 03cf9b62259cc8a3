package table_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec"
	"github.com/cloudopsec/opsec/audit/accounts"
	"github.com/cloudopsec/opsec/audit/accounts/table"
)

// collect returns the rows before the first error, and that.
func collect[T any](seq iter.Seq2[T, error]) (rows []T, err error) {
	for row, err := range seq {
		if err != nil {
			return rows, err
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func date(s string) time.Time {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		panic(err)
	}
	return t
}

type reading[T any] func(io.Reader, string) iter.Seq2[T, error]

// same reads a CSV file, compares its rows, and reads them again as JSON lines.
func same[T any](t *testing.T, read reading[T], csv string, want ...T) {
	t.Helper()
	rows, err := collect(read(strings.NewReader(csv), "f"))
	require.NoError(t, err)
	require.Equal(t, want, rows)
	var lines bytes.Buffer
	for _, row := range rows {
		require.NoError(t, json.NewEncoder(&lines).Encode(row))
	}
	again, err := collect(read(&lines, "f"))
	require.NoError(t, err)
	require.Equal(t, rows, again)
}

func TestAllColumns(t *testing.T) {
	ann := accounts.Key{Tenant: "acme", Main: "ann", Sub: "db"}
	same(t, table.Accounts,
		"tenant,main,sub,kind,person,state,since,roles,created,approved,reviewed,expires,last_used,ref\n"+
			"acme,ann,db,human,p1,active,2026-01-01,operator; reader,2026-01-02,2026-01-03,2026-01-04,2026-01-05,2026-01-06T07:08:09Z,r\n"+
			"acme,bob,,,,deleted,,,,,,,,\n",
		accounts.Account{
			Key: ann, Kind: opsec.Human, Person: "p1", State: accounts.Active, Since: date("2026-01-01"),
			Roles: []string{"operator", "reader"}, Created: date("2026-01-02"), Approved: date("2026-01-03"),
			Reviewed: date("2026-01-04"), Expires: date("2026-01-05"),
			LastUsed: time.Date(2026, 1, 6, 7, 8, 9, 0, time.UTC), Ref: "r",
		}, accounts.Account{Key: accounts.Key{Tenant: "acme", Main: "bob"}, State: accounts.Deleted, Ref: "f:3"})
	same(t, table.Entitlements,
		"ref,expires,approved,granted,permission,sub,main,tenant\nr,2026-01-03,2026-01-02,2026-01-01,vm.stop,db,ann,acme\n",
		accounts.Entitlement{
			Key: ann, Permission: "vm.stop", Granted: date("2026-01-01"), Approved: date("2026-01-02"),
			Expires: date("2026-01-03"), Ref: "r",
		})
	same(t, table.Uses, "tenant,main,sub,permission,count,denied,last,ref\nacme,ann,db,vm.stop,7,18446744073709551615,2026-01-01,r\n",
		accounts.Use{Key: ann, Permission: "vm.stop", Count: 7, Denied: 1<<64 - 1, Last: date("2026-01-01"), Ref: "r"})
	same(t, table.SignIns,
		"tenant,main,sub,time,outcome,logout,began,session,ip,terminal,ref\n"+
			"acme,ann,db,2026-01-02,success,true,2026-01-01,s1,2001:db8::1,t1,r\n"+
			"acme,,,2026-01-02,denied,,,,,,\n",
		accounts.SignIn{
			Key: ann, Time: date("2026-01-02"), Outcome: opsec.Success, Logout: true, Began: date("2026-01-01"), Session: "s1",
			IP: netip.MustParseAddr("2001:db8::1"), Terminal: "t1", Ref: "r",
		}, accounts.SignIn{Key: accounts.Key{Tenant: "acme"}, Time: date("2026-01-02"), Outcome: opsec.Denied, Ref: "f:3"})
	same(t, table.People, "\ufefftenant,id,left,ref\nacme,p1,2026-01-01,r\nacme,p2,,\n",
		accounts.Person{Tenant: "acme", ID: "p1", Left: date("2026-01-01"), Ref: "r"},
		accounts.Person{Tenant: "acme", ID: "p2", Ref: "f:3"})
}

func TestQuotedCellsAndLines(t *testing.T) {
	rows, err := collect(table.People(strings.NewReader("id,tenant,ref\n\"a,\"\"b\"\"\nc\",acme,\n\n x,acme,\n"), "hr.csv"))
	require.NoError(t, err)
	require.Equal(t, []accounts.Person{
		{Tenant: "acme", ID: "a,\"b\"\nc", Ref: "hr.csv:2"}, {Tenant: "acme", ID: " x", Ref: "hr.csv:5"},
	}, rows)
}

func TestErrorsSayWhere(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"", "f:1: is empty"},
		{"\n\n", "f:1: has no header row"},
		{"tenant,main,state,time\n", "f:1:19: unknown column"},
		{"tenant,main,state,main\n", "f:1:19: column main is there twice"},
		{"tenant,main\n", "f:1: no column state"},
		{"tenant,main,state\nacme,ann\n", "f:2:1: wrong number of fields"},
		{"tenant,main,state\nacme,,active\n", "f:2:6: main: is empty"},
		{"tenant,main,state\nacme,a\"n,active\n", "f:2:7: bare \" in non-quoted"},
		{"tenant,main,state,expires\nacme,hunter2,active,soon\n", "f:2:21: expires: want a date"},
		{"tenant,main,state,person\n\nacme,hunter2,active,\xff\n", "f:3:21: person: is not UTF-8"},
		{"tenant,main,state,person\nacme,ann,active," + strings.Repeat("hunter2", 1<<18) + "\n", "f:2: a line of more than 1048576 bytes"},
		{`{"tenant":"acme","main":"ann","state":"active","hunter":"hunter2"}`, `f:1: unknown field "hunter"`},
		{`{"tenant":"acme","main":7}`, "f:1:25: main: has another type"},
		{"[{\"tenant\":\"acme\"}]", "f:1: is a JSON array"},
		{"\n {\"tenant\":\n\"acme\"}", "f:2: is not JSON: it ends too early"},
		{"{}\n{\"since\":\"hunter2\"}", "f:2: is not one object"},
		{"{}\n\n{\"main\":\"hunter2", "f:3: is not JSON"},
		{"{}\n{]", "f:2:2: is not JSON"},
		{"{} {}", "f:1: is not one object"},
		{"{\"main\":\"\xff\"}", "f:1: is not UTF-8"},
		{"{\"main\":\"" + strings.Repeat("hunter2", 1<<18) + "\"}", "f:1: a line of more than 1048576 bytes"},
	} {
		_, err := collect(table.Accounts(strings.NewReader(c.text), "f"))
		require.ErrorIs(t, err, opsec.ErrInvalid, "%.80q", c.text)
		require.ErrorContains(t, err, "table: "+c.want, "%.80q", c.text)
		require.NotContains(t, err.Error(), "hunter2")
		var e *table.Error
		require.ErrorAs(t, err, &e)
		require.Equal(t, "f", e.File)
	}
	for _, c := range []struct{ cells, want string }{
		{"acme,x,then,success,true,1,1", "f:2:8: time"}, {"acme,x,2026-01-01,,true,::1,1", "f:2:19: outcome"},
		{"acme,x,2026-01-01,success,maybe,::1,1", "f:2:27: logout"}, {"acme,x,2026-01-01,success,1,1.2.3,1", "f:2:29: ip"},
	} {
		_, err := collect(table.SignIns(strings.NewReader("tenant,main,time,outcome,logout,ip,session\n"+c.cells+"\n"), "f"))
		require.ErrorContains(t, err, c.want)
	}
	_, err := collect(table.Uses(strings.NewReader("tenant,main,permission,count\na,b,c,-1\n"), "f"))
	require.ErrorContains(t, err, "f:2:7: count: want a whole number")
}

func TestErrorsOfTheReaderArePassedOn(t *testing.T) {
	broken := errors.New("broken")
	for _, text := range []string{"", "tenant,id\nacme,p1\n", "{\"tenant\":\"acme\",\"id\":\"p1\"}\n"} {
		rows, err := collect(table.People(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), "f"))
		require.ErrorIs(t, err, broken)
		require.NotErrorIs(t, err, opsec.ErrInvalid)
		require.Len(t, rows, min(len(text), 1))
	}
}

// Nobody can end a reading by what he types for a name.
func TestTypedNamesMayBeAnything(t *testing.T) {
	rows, err := collect(table.SignIns(strings.NewReader("tenant,main,terminal,time,outcome\n\xfe,\xff\x00,\xfd,2026-01-01,failure\nacme,"+
		strings.Repeat("a", 9000)+",,2026-01-01,failure\n"), "f"))
	require.NoError(t, err)
	require.Equal(t, accounts.Key{Tenant: "\xfe", Main: "\xff\x00"}, rows[0].Key)
	require.Len(t, rows[1].Main, 8192)
}

// Rows are kept, such as those of open sessions: not with the lines from which they were cut.
func TestLongLinesAreNotKeptInMemory(t *testing.T) {
	heap := func() uint64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	line := "acme,ann,2026-03-01,success,s1,r1," + strings.Repeat("x", 1<<19) + "\n"
	text := "tenant,main,time,outcome,session,ref,terminal\n" + strings.Repeat(line, 64)
	before := heap()
	rows, err := collect(table.SignIns(strings.NewReader(text), "f"))
	require.NoError(t, err)
	require.Len(t, rows, 64)
	require.Less(t, int64(heap())-int64(before), int64(4<<20))
	runtime.KeepAlive(text)
	runtime.KeepAlive(rows)
}

func TestReadingMayEndEarly(t *testing.T) {
	for _, text := range []string{"tenant,id\nacme,p1\nacme,p2\n", "{\"tenant\":\"acme\",\"id\":\"p1\"}\n{}\n"} {
		for row, err := range table.People(strings.NewReader(text), "f") {
			require.NoError(t, err)
			require.Equal(t, "p1", row.ID)
			break
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("tenant,main,state,roles,since\nacme,ann,active,a;b,2026-01-01\n"))
	f.Add([]byte("tenant,main,time,outcome,ip\nacme,ann,2026-01-01T00:00:00Z,success,::1\n"))
	f.Add([]byte(`{"tenant":"acme","main":"ann","permission":"vm.stop","count":1}` + "\n{}"))
	f.Add([]byte("tenant,id\n\"a\nb\",\"c\"\"d\"\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<16 {
			return
		}
		again(t, table.Accounts, text)
		again(t, table.Entitlements, text)
		again(t, table.Uses, text)
		again(t, table.SignIns, text)
		again(t, table.People, text)
	})
}

// again reads; rows that come out are read the same from JSON lines, and an error says that the file is invalid.
func again[T any](t *testing.T, read reading[T], text []byte) {
	rows, err := collect(read(bytes.NewReader(text), "f"))
	if err != nil {
		require.ErrorIs(t, err, opsec.ErrInvalid)
	}
	var lines bytes.Buffer
	for _, row := range rows {
		line, err := json.Marshal(row)
		if err != nil || bytes.Contains(line, []byte(`\ufffd`)) {
			return // a year of five digits, or bytes that JSON cannot hold
		}
		lines.Write(append(line, '\n'))
	}
	if lines.Len() == 0 {
		return
	}
	same, err := collect(read(&lines, "f"))
	require.NoError(t, err)
	require.Equal(t, len(rows), len(same))
	a, err := json.Marshal(rows)
	require.NoError(t, err)
	b, err := json.Marshal(same)
	require.NoError(t, err)
	require.JSONEq(t, string(a), string(b))
}
