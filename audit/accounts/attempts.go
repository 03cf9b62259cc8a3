package accounts

// Standing is how the account of a sign-in stands with the register.
type Standing string

// The standings.
const (
	Registered Standing = "registered"
	Abandoned  Standing = "abandoned" // disabled or deleted
	Invented   Standing = "invented"  // no such account
)
