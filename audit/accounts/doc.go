// Package accounts audits accounts: which are illegal, overdue or dormant, which may do more or less than they should, who
// shares one, and who tries those that are gone or never were. It reads sorted sequences in step, so that memory does not
// grow with their length.
//
// # Recommendation
//
// Recommendation ITU-T X.1642, clause 8.1.1, item 5: audit of the assignment of accounts and of log-in and log-out, and
// attempts with abandoned or invented accounts; its items 2 to 4 say what an account should be.
package accounts
