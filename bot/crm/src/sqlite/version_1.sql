-- What a store of version 1 may hold.
INSERT INTO customers VALUES ('c1', 'Ana', NULL, NULL, 'en', NULL, '[]', '{}', 1);
INSERT INTO orders
VALUES ('o1', 'c1', 'shipped', '2026-11-18', '[]', 9980, NULL, '[]', '[]', '{}', 2);
INSERT INTO documents VALUES
    ('d1', 'Internal: Closing an account', 'Use the form.', NULL, 'en', FALSE, 3),
    ('d2', 'Fees', 'None.', NULL, 'en', FALSE, 4);
UPDATE revision_counter SET value = 4;
INSERT INTO conversations VALUES
    ('00000000-0000-0000-0000-000000000001', 'web', 'c1', 'bot', 1, 'en', 'null', 3, 2, 1),
    ('00000000-0000-0000-0000-000000000002', 'web', NULL, 'human', 20, NULL, '{}', 4, 4, 1);
INSERT INTO messages VALUES
    ('00000000-0000-0000-0000-000000000001', 1, 'customer', 'Hi', '[]', '[]', 'a', 1),
    ('00000000-0000-0000-0000-000000000001', 2, 'bot', 'Yes?', '[]', '["Yes","No"]', NULL, 2),
    ('00000000-0000-0000-0000-000000000001', 3, 'customer', 'Where is it?', '[]', '[]', 'b', 3),
    ('00000000-0000-0000-0000-000000000002', 1, 'customer', 'Hi', '[]', '[]', 'a', 1),
    ('00000000-0000-0000-0000-000000000002', 2, 'customer', 'A person!', '[]', '[]', 'b', 19),
    ('00000000-0000-0000-0000-000000000002', 3, 'system', 'One moment.', '[]', '[]', NULL, 20),
    ('00000000-0000-0000-0000-000000000002', 4, 'customer', 'Hello?', '[]', '[]', 'c', 21);
INSERT INTO events VALUES (1, 'start', NULL, '{}', 1);
