package main

import (
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

type statement struct {
	Sid       string         `json:"Sid,omitempty"`
	Effect    string         `json:"Effect"`
	Principal any            `json:"Principal,omitempty"`
	Action    []string       `json:"Action,omitempty"`
	NotAction []string       `json:"NotAction,omitempty"`
	Resource  []string       `json:"Resource,omitempty"`
	Condition map[string]any `json:"Condition,omitempty"`
}

type document struct {
	Version   string      `json:"Version"`
	Statement []statement `json:"Statement"`
}

// policy renders an aws_iam_policy_document: the statements of its sources, then its own.
func policy(values map[string]tftypes.Value) ([]byte, error) {
	out := document{Version: "2012-10-17"}
	seen := map[string]bool{}
	add := func(s statement) error {
		if s.Sid != "" && seen[s.Sid] {
			return fmt.Errorf("two statements have the Sid %s", s.Sid)
		}
		seen[s.Sid] = true
		out.Statement = append(out.Statement, s)
		return nil
	}
	for _, source := range elements(values["source_policy_documents"]) {
		var inner document
		if err := json.Unmarshal([]byte(text(source)), &inner); err != nil {
			return nil, err
		}
		for _, s := range inner.Statement {
			if err := add(s); err != nil {
				return nil, err
			}
		}
	}
	for _, value := range elements(values["statement"]) {
		var given map[string]tftypes.Value
		if err := value.As(&given); err != nil {
			return nil, err
		}
		s := statement{
			Sid: text(given["sid"]), Effect: text(given["effect"]), Action: strings_(given["actions"]),
			NotAction: strings_(given["not_actions"]), Resource: strings_(given["resources"]),
		}
		if s.Effect == "" {
			s.Effect = "Allow"
		}
		if len(s.Action)+len(s.NotAction) == 0 {
			return nil, fmt.Errorf("statement %s has no actions", s.Sid)
		}
		principals := map[string][]string{}
		for _, p := range elements(given["principals"]) {
			var inner map[string]tftypes.Value
			if err := p.As(&inner); err != nil {
				return nil, err
			}
			kind := text(inner["type"])
			principals[kind] = append(principals[kind], strings_(inner["identifiers"])...)
		}
		if len(principals) > 0 {
			s.Principal = principals
		}
		if _, everybody := principals["*"]; everybody {
			s.Principal = "*"
		}
		for _, c := range elements(given["condition"]) {
			var inner map[string]tftypes.Value
			if err := c.As(&inner); err != nil {
				return nil, err
			}
			if s.Condition == nil {
				s.Condition = map[string]any{}
			}
			test := text(inner["test"])
			tests, ok := s.Condition[test].(map[string][]string)
			if !ok {
				tests = map[string][]string{}
				s.Condition[test] = tests
			}
			variable := text(inner["variable"])
			if _, twice := tests[variable]; twice {
				return nil, fmt.Errorf("statement %s: %s %s is given twice", s.Sid, test, variable)
			}
			tests[variable] = strings_(inner["values"])
		}
		if err := add(s); err != nil {
			return nil, err
		}
	}
	if len(out.Statement) == 0 {
		return nil, fmt.Errorf("the document has no statements")
	}
	return json.MarshalIndent(out, "", "  ")
}
