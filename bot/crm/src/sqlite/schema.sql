-- The tables of a store, a line each for column, key and reference, as `postgres/schema.sql` has them.
WITH tables AS (
    SELECT name FROM sqlite_schema
    WHERE type = 'table' AND name NOT LIKE '\_sqlx%' ESCAPE '\' AND name NOT LIKE 'sqlite\_%' ESCAPE '\'
)
SELECT line FROM (
    SELECT format('%s.%s %s%s', t.name, c.name,
                  CASE lower(c.type) WHEN 'integer' THEN 'bigint' ELSE lower(c.type) END,
                  CASE WHEN c."notnull" OR c.pk THEN ' not null' ELSE '' END) AS line
    FROM tables AS t JOIN pragma_table_info(t.name) AS c
    UNION ALL
    SELECT format('%s (%s) primary', t.name, group_concat(c.name, ',' ORDER BY c.pk))
    FROM tables AS t JOIN pragma_table_info(t.name) AS c
    WHERE c.pk
    GROUP BY t.name
    UNION ALL
    SELECT format('%s (%s) %s', t.name, group_concat(c.name, ',' ORDER BY c.seqno),
                  CASE WHEN i."unique" THEN 'unique' ELSE 'index' END)
    FROM tables AS t JOIN pragma_index_list(t.name) AS i JOIN pragma_index_info(i.name) AS c
    WHERE i.origin <> 'pk'
    GROUP BY t.name, i.name
    UNION ALL
    SELECT format('%s.%s -> %s.%s', t.name, f."from", f."table", f."to")
    FROM tables AS t JOIN pragma_foreign_key_list(t.name) AS f
) AS lines
ORDER BY line
