package document_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/cloudopsec/opsec/sla"
	"github.com/cloudopsec/opsec/sla/document"
	"github.com/cloudopsec/opsec/sla/recompute"
)

// Any agreement that can be read, and has a digest, can be shown.
func FuzzAgreement(f *testing.F) {
	for _, name := range []string{"iaas", "saas"} {
		text, err := os.ReadFile("../../examples/slareport/" + name + ".yaml")
		require.NoError(f, err)
		f.Add(text)
	}
	f.Add([]byte("id: x\nservices: [{}]\nclause: {data: {encryption: [{}], compliance: [{keepMost: -1ns}]}, emergency: {targets: [{share: x}]}, measures: {}}\ncredits: [{}]\nexclusions: [{}]\nhistory: [{}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		a, err := sla.Parse(text)
		if err != nil {
			return
		}
		if _, err := a.Digest(); err != nil {
			return
		}
		d, err := document.Agreement{Agreement: a}.Document()
		if err != nil {
			t.Fatal(err)
		}
		texts(t, html(t, d))
		markdown(t, d)
	})
}

// Any report that can be read is shown, or refused with an error: what another party has sent is foreign.
func FuzzReport(f *testing.F) {
	r := compute(f, input(f))
	text, err := r.Report.JSON()
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"schema":"opsec.sla.report/v1","period":{"zone":"UTC","span":{"start":-9223372036854775808,"end":9223372036854775807}},"services":[{"id":"","objectives":[{"id":"","method":"time","target":"0","span":{"start":0,"end":0},"resources":-1,"budget":{"all":0,"used":0,"open":18446744073709551615}}],"strip":[{"start":5,"end":1,"up":18446744073709551615}]}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		got, err := recompute.Read(text)
		if err != nil {
			return
		}
		got.Agreement.Digest = r.Report.Agreement.Digest
		own := document.Report{Report: got, Agreement: r.Agreement}
		if d, err := own.Provider(); err == nil {
			texts(t, html(t, d))
			markdown(t, d)
		}
		if d, err := own.Customer(document.Customer{Tenant: "acme"}); err == nil {
			texts(t, html(t, d))
		}
	})
}
