package credit

import (
	"time"

	"github.com/cloudopsec/opsec/internal/strictjson"
	"github.com/cloudopsec/opsec/sla/ratio"
)

// Duration is a [time.Duration] that stands in JSON and YAML as a text such as "720h".
type Duration = strictjson.Duration

// Band is the credit for a figure that is less than Below and not in a lower band.
type Band struct {
	Below  ratio.Ratio `json:"below"`
	Credit ratio.Ratio `json:"credit"` // of the fee
}

// Table is what is owed for an objective. Figures exactly at the edge of a band are not in it.
type Table struct {
	ID        string      `json:"id"`
	Objective string      `json:"objective"`         // id
	Bands     []Band      `json:"bands"`             // by Below, falling; credits rise
	Cap       ratio.Ratio `json:"cap,omitzero"`      // of the fee of the period, all tables together; 0: the whole fee
	Minimum   string      `json:"minimum,omitempty"` // amount that credits must exceed to be due, such as "1.00 USD"
	Claim     Duration    `json:"claim,omitempty"`   // how long after the period's end a claim may be made; 0: none is needed
	Source    string      `json:"source,omitempty"`  // of a published table: title, version or date
}

// Due is a credit that is owed.
type Due struct {
	Table     string        `json:"table"`
	Objective string        `json:"objective"`
	Service   string        `json:"service"`
	Credit    ratio.Range   `json:"credit"`           // of the fee: low for the best that the evidence allows, high for the worst
	Amount    [2]string     `json:"amount,omitempty"` // of money, likewise, such as "12.50 EUR"; empty where no fee is given
	ClaimBy   time.Time     `json:"claimBy,omitzero"`
	Verdict   ratio.Verdict `json:"verdict"` // of the objective
}
