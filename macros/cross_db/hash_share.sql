{#
A share of 0 or more and below 1 that follows from a text alone and is spread evenly: the first 32 bits
of its md5. Both engines give the same.
#}
{% macro hash_share(text) -%}
    {{ return(adapter.dispatch('hash_share')(text)) }}
{%- endmacro %}

{% macro default__hash_share(text) -%}
    cast(from_base(substr(to_hex(md5(to_utf8({{ text }}))), 1, 8), 16) as double) / 4294967296e0
{%- endmacro %}

{% macro duckdb__hash_share(text) -%}
    cast(cast('0x' || substr(md5({{ text }}), 1, 8) as bigint) as double) / 4294967296e0
{%- endmacro %}
