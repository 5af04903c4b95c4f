{#
The simple rules of a table, as a list of dictionaries: column, rule (text for people) and broken
(an aggregate expression: how many rows break the rule).

They are declared as constraints of columns and of the table, by dbt's own vocabulary: not_null,
unique, primary_key and check. As in SQL, a check that is unknown counts as kept. Seeds
have no constraints of the table: their key is `primary_key` of the test. Of sources the rules are
those that landing and the writers go by, in `meta` (models/sources.yml).
#}
{% macro contract_rules(node, primary_key=none) -%}
    {%- set rules = _rules_of_source(node) if node.resource_type == 'source' else [] -%}
    {%- if primary_key -%}
        {%- do rules.extend(_rules_of({'type': 'primary_key', 'columns': primary_key}, none)) -%}
    {%- endif -%}
    {%- for constraint in node.get('constraints', []) -%}
        {%- do rules.extend(_rules_of(constraint, none)) -%}
    {%- endfor -%}
    {%- for column in node.columns.values() -%}
        {%- for constraint in column.get('constraints', []) -%}
            {%- do rules.extend(_rules_of(constraint, column.name)) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(rules) }}
{%- endmacro %}

{# The rules of a source: key, columns that are never null, and limits of values. #}
{% macro _rules_of_source(source) -%}
    {%- set rules = [] -%}
    {%- set key = source.meta.get('key', []) -%}
    {%- set is_landed = source.meta.get('file') is not none -%}
    {%- if key and not is_landed -%}
        {%- do rules.extend(_rules_of({'type': 'primary_key', 'columns': key}, none)) -%}
    {%- elif key and source.meta.get('duplicates') == 'refuse' -%}
        {%- do rules.append({
            'column': key | join(', '),
            'rule': 'unique',
            'broken': 'count(*) - count(distinct row(' ~ key | join(', ') ~ '))',
        }) -%}
    {%- endif -%}
    {%- for column in source.columns.values() if is_landed -%}
        {%- set meta = column.meta -%}
        {%- if meta.get('required', true) and not meta.get('nullable') and not meta.get('sparse') -%}
            {%- do rules.extend(_rules_of({'type': 'not_null'}, column.name)) -%}
        {%- endif -%}
        {%- for sign, limit in (('>=', meta.get('minimum')), ('<=', meta.get('maximum'))) if limit is not none -%}
            {%- set limit = "date '" ~ limit ~ "'" if column.data_type == 'date' else limit -%}
            {%- do rules.extend(_rules_of({'type': 'check', 'expression': column.name ~ ' ' ~ sign ~ ' ' ~ limit}, column.name)) -%}
        {%- endfor -%}
    {%- endfor -%}
    {{ return(rules) }}
{%- endmacro %}

{# The rules that one constraint stands for; `column` is none for one of the table. #}
{% macro _rules_of(constraint, column) -%}
    {%- set columns = [column] if column else constraint.get('columns', []) -%}
    {%- set rules = [] -%}
    {%- if constraint.type in ('not_null', 'primary_key') -%}
        {%- for name in columns -%}
            {%- do rules.append({
                'column': name,
                'rule': 'not_null',
                'broken': 'count(*) - count(' ~ name ~ ')',
            }) -%}
        {%- endfor -%}
    {%- endif -%}
    {%- if constraint.type in ('primary_key', 'unique') -%}
        {%- set is_one = columns | length == 1 -%}
        {%- set key = columns[0] if is_one else 'row(' ~ columns | join(', ') ~ ')' -%}
        {%- do rules.append({
            'column': columns | join(', '),
            'rule': constraint.type,
            'broken': 'count(' ~ (key if is_one else '*') ~ ') - count(distinct ' ~ key ~ ')',
        }) -%}
    {%- elif constraint.type == 'check' -%}
        {%- do rules.append({
            'column': column or '',
            'rule': 'check ' ~ (constraint.get('name') or constraint.expression),
            'broken': 'count(case when not (' ~ constraint.expression ~ ') then 1 end)',
        }) -%}
    {%- endif -%}
    {{ return(rules) }}
{%- endmacro %}

{#
One query that proves rules: a row for each that is broken, with its name and the number of rows
that break it.

references: columns whose values must be in another table, as in dbt's test `relationships`
    (column, to, field), or among the words of `besides`.
averages: bands in which the mean of an expression must lie, both ends included (name, expression,
    minimum, maximum). An empty table has no mean. A band that `needs` raw tables or columns which the
    batch is declared to lack is left out.
row_count: minimum and maximum number of rows.
#}
{% macro broken_rules(model, rules, references=[], averages=[], row_count=none) -%}
    {%- for reference in references -%}
        {%- do rules.append({
            'column': reference.column,
            'rule': 'references ' ~ reference.to.identifier ~ '.' ~ reference.field,
            'broken': 'count(case when reference_' ~ loop.index ~ '.value_' ~ loop.index ~ ' is null'
                ~ (' and ' ~ reference.column ~ " not in ('" ~ reference.besides | join("', '") ~ "')"
                    if reference.besides else '')
                ~ ' then ' ~ reference.column ~ ' end)',
        }) -%}
    {%- endfor -%}
    {%- for band in averages if not missing_of(band.needs) -%}
        {%- set mean = 'avg(cast(' ~ band.expression ~ ' as double))' -%}
        {%- do rules.append({
            'column': '',
            'rule': 'mean of ' ~ band.name ~ ' between ' ~ band.minimum ~ ' and ' ~ band.maximum,
            'broken': 'case when ' ~ mean ~ ' < ' ~ band.minimum ~ ' or ' ~ mean ~ ' > ' ~ band.maximum
                ~ ' then count(*) else 0 end',
        }) -%}
    {%- endfor -%}
    {%- if row_count -%}
        {%- do rules.append({
            'column': '',
            'rule': 'row count between ' ~ row_count.minimum ~ ' and ' ~ row_count.maximum,
            'broken': 'case when count(*) between ' ~ row_count.minimum ~ ' and ' ~ row_count.maximum
                ~ ' then 0 else greatest(count(*), 1) end',
        }) -%}
    {%- endif -%}
    {%- if not rules and averages -%}
        {#- Every band needs what the batch lacks: nothing can be broken. -#}
        {{ return("select '' as table_name, '' as column_name, '' as rule, 0 as broken_row_count where 1 = 0") }}
    {%- endif -%}
    {%- if not rules -%}
        {%- do exceptions.raise_compiler_error(model ~ ' has no rule to prove: declare constraints, or drop the test') -%}
    {%- endif %}
select
    '{{ model.identifier }}' as table_name,
    rules.column_name,
    rules.rule,
    case rules.rule_number
        {%- for rule in rules %}
        when {{ loop.index }} then counted.rule_{{ loop.index }}
        {%- endfor %}
    end as broken_row_count
from (
    select
        {%- for rule in rules %}
        {{ rule.broken }} as rule_{{ loop.index }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ model }}
    {%- for reference in references %}
    left join (
        select distinct {{ reference.field }} as value_{{ loop.index }}
        from {{ reference.to }}
    ) as reference_{{ loop.index }}
        on {{ reference.column }} = reference_{{ loop.index }}.value_{{ loop.index }}
    {%- endfor %}
) as counted
cross join (
    values
    {%- for rule in rules %}
    ({{ loop.index }}, '{{ rule.column }}', '{{ rule.rule | replace("\n", " ") | trim | replace("'", "''") }}'){{ ',' if not loop.last }}
    {%- endfor %}
) as rules (rule_number, column_name, rule)
where
    case rules.rule_number
        {%- for rule in rules %}
        when {{ loop.index }} then counted.rule_{{ loop.index }}
        {%- endfor %}
    end > 0
{%- endmacro %}

{#
The proof of a table's rules: those of its YAML, but for columns that may be null after all, and what
the test keeps_contract is given.
#}
{% macro proof_of_contract(node, model, primary_key=none, references=[], averages=[], row_count=none, nullable=[]) -%}
    {%- set rules = [] -%}
    {%- for rule in contract_rules(node, primary_key) if not (rule.rule == 'not_null' and rule.column in nullable) -%}
        {%- do rules.append(rule) -%}
    {%- endfor -%}
    {{ return(broken_rules(model, rules, references, averages, row_count)) }}
{%- endmacro %}

{#
Prove the rules of all tables that a command has built, up to ten in one query, in the place of
their tests keeps_contract (variable proves_jointly). What is broken is told, a line a rule; whoever
leaves those tests out has to listen (python_ml/transform/dbt.py). Athena refuses statements of more
than 150 stages or 262,144 bytes.

A rule that is broken is proved alone, as the test would: a run is not stopped by what an engine finds
in a statement of ten tables and not in the table. That is a warning.
#}
{% macro prove_jointly(results) -%}
    {%- if execute and flags.WHICH == 'build' and var('proves_jointly') -%}
        {%- set proofs = _proofs_of(results) -%}
        {%- for group in _in_groups(proofs, 10, 200000) -%}
            {%- set found = [] -%}
            {%- for row in run_query(_joint_proof(group)).rows if row[0] not in found -%}
                {%- do found.append(row[0]) -%}
            {%- endfor -%}
            {%- for proof in group if proof.name in found -%}
                {%- set rows = run_query(proof.sql).rows -%}
                {%- do _tell_broken(proof.name, rows) -%}
                {%- if not rows | length -%}
                    {%- do exceptions.warn(proof.name ~ ' fails among other tests; alone, nothing is broken') -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# Name and SQL of the proof of every table that was built. #}
{% macro _proofs_of(results) -%}
    {%- set built = {} -%}
    {%- for result in results if result.status | string == 'success' -%}
        {%- do built.update({result.node.unique_id: true}) -%}
    {%- endfor -%}
    {%- set relations = {} -%}
    {%- for node in graph.nodes.values() if node.resource_type in ('model', 'seed', 'snapshot') -%}
        {%- do relations.update({node.name: api.Relation.create(database=node.database, schema=node.schema, identifier=node.alias)}) -%}
    {%- endfor -%}
    {%- set proofs = [] -%}
    {%- for test in graph.nodes.values() if test.resource_type == 'test' and test.attached_node in built
        and (test.test_metadata or {}).name == 'keeps_contract' and test.config.severity | lower == 'error' -%}
        {%- set node, given = graph.nodes[test.attached_node], test.test_metadata.kwargs -%}
        {%- set references = [] -%}
        {%- for reference in given.get('references', []) -%}
            {#- `to` is the text ref('name'), with either quotation mark. -#}
            {%- set name = (reference.to | replace('"', "'")).split("'")[1] -%}
            {%- do references.append(dict(reference, to=relations[name])) -%}
        {%- endfor -%}
        {%- do proofs.append({'name': test.name, 'sql': proof_of_contract(
            node, relations[node.name], given.primary_key, references, given.get('averages', []),
            given.row_count, given.get('nullable', []),
        )}) -%}
    {%- endfor -%}
    {{ return(proofs) }}
{%- endmacro %}

{# Lists of proofs, so many at a time as one statement may have. #}
{% macro _in_groups(proofs, most, most_characters) -%}
    {%- set groups, size = [], namespace(characters=0) -%}
    {%- for proof in proofs -%}
        {%- if not groups or groups[-1] | length == most or size.characters + proof.sql | length > most_characters -%}
            {%- do groups.append([]) -%}
            {%- set size.characters = 0 -%}
        {%- endif -%}
        {%- do groups[-1].append(proof) -%}
        {%- set size.characters = size.characters + proof.sql | length -%}
    {%- endfor -%}
    {{ return(groups) }}
{%- endmacro %}

{# The names of the tests among these that fail. Its cost is that of a test, not of the hook. #}
{% macro _joint_proof(group) -%}
    /* {"node_id": "test.{{ project_name }}.keeps_contract"} */
    {%- for proof in group %}
    {{ 'union all' if not loop.first }}
    select '{{ proof.name }}' as test_name from ({{ proof.sql }}) as proof
    {%- endfor %}
{%- endmacro %}

{# The node of the graph that a relation was built from. #}
{% macro node_of(relation) -%}
    {%- for node in (graph.nodes.values() | list) + (graph.sources.values() | list) -%}
        {%- set name = node.identifier if node.resource_type == 'source' else node.alias -%}
        {%- if name == relation.identifier and node.schema == relation.schema and node.resource_type in ('model', 'seed', 'snapshot', 'source') -%}
            {{ return(node) }}
        {%- endif -%}
    {%- endfor -%}
    {%- do exceptions.raise_compiler_error('dbt knows no table ' ~ relation) -%}
{%- endmacro %}

{#
Say after a command which rules are broken, and in how many rows: the outcome of a test is a number
only. A query is sent for each failed test, none without one.
#}
{% macro tell_broken_rules(results) -%}
    {%- if execute and flags.WHICH in ('build', 'test') -%}
        {%- for result in results if result.status | string in ('fail', 'warn') and result.node.resource_type == 'test' -%}
            {%- set test = (result.node.test_metadata or {}).name -%}
            {%- if test in ('keeps_contract', 'keeps_bands') -%}
                {%- do _tell_broken(result.node.name, run_query(result.node.compiled_code).rows) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{# Rows of a proof, a line each. #}
{% macro _tell_broken(name, rows) -%}
    {%- for row in rows -%}
        {%- set column = '.' ~ row[1] if row[1] else '' -%}
        {%- do log(name ~ ': ' ~ row[0] ~ column ~ ' breaks ' ~ row[2] ~ ' in ' ~ row[3] ~ ' rows', info=true) -%}
    {%- endfor -%}
{%- endmacro %}
